-- Purpose: when and how the identities of a person were linked with each other. Links that lead to other persons are left out:
-- they would tell of them.
-- Grain: one row per pair of identities of the person.
-- Parameters: person_id (text).
with pairs as (
    select distinct
        identity_key,
        identity_value,
    from identities
    where person_id = cast($person_id as uuid)
)

select links.*
from identity_links as links
inner join pairs as lefts
    on links.left_identity_key = lefts.identity_key
    and links.left_identity_value = lefts.identity_value
inner join pairs as rights
    on links.right_identity_key = rights.identity_key
    and links.right_identity_value = rights.identity_value
order by links.log_order
