-- Purpose: the pairs of a person, and where in the log each was the person's: a pair that was unbound and came again is
-- another's, or the same person's once more.
-- Grain: one row per identity of the person.
-- Parameters: person_id (text).
with incarnations as (
    select
        identity_key,
        identity_value,
        person_id,
        case when incarnation > 0 then log_order end as since_order,
        lead(log_order) over (partition by identity_key, identity_value order by incarnation) as until_order,
    from store.known_identities
)

select
    identity_key,
    identity_value,
    since_order,
    until_order,
from incarnations
where person_id = cast($person_id as uuid)
order by
    identity_key,
    identity_value,
    since_order nulls first
