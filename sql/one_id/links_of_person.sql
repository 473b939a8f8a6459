-- Purpose: the links that a person's identities were tried in, whatever became of them.
-- Grain: one row of `identity_links`, in the order of the log.
-- Parameters: person_id (text).
with members as (
    select identity_id
    from store.identity_persons
    where person_id = cast($person_id as uuid)
),

-- Found by identity before the view is read: it has as many rows as links were ever tried.
evidence as (
    select distinct log_order
    from store.links
    where
        left_identity_id in (select identity_id from members)
        or right_identity_id in (select identity_id from members)
)

select links.*
from identity_links as links
semi join evidence
    on links.log_order = evidence.log_order
where
    links.left_person_id = cast($person_id as uuid)
    or links.person_id = cast($person_id as uuid)
order by
    links.log_order,
    links.link_id,
    links.outcome
