-- Purpose: whom a pair of identity key and value belongs or belonged to. A preset key may be named without its `$identity_`.
-- Grain: one row per person.
-- Parameters: identity_key, identity_value (text).
select distinct cast(person_id as varchar) as person_id
from identities
where
    (
        identity_key = $identity_key
        or identity_key = '$identity_' || $identity_key
    )
    and identity_value = $identity_value
order by person_id
