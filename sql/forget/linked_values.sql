-- Purpose: values of others that a message of the person may have carried: whose link with the person was refused or taken back.
-- Grain: one row per value.
-- Parameters: person_id (text).
with pairs as (
    select distinct
        identity_key,
        identity_value,
    from identities
    where person_id = cast($person_id as uuid)
)

select distinct
    case when lefts.identity_key is null then links.left_identity_value else links.right_identity_value end as value,
from identity_links as links
left join pairs as lefts
    on links.left_identity_key = lefts.identity_key
    and links.left_identity_value = lefts.identity_value
left join pairs as rights
    on links.right_identity_key = rights.identity_key
    and links.right_identity_value = rights.identity_value
where (lefts.identity_key is null) <> (rights.identity_key is null)
order by value
