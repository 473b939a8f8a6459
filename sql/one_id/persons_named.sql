-- Purpose: whom somebody means by a person's id, the beginning of one, KEY=VALUE of an identity, or a value alone. A preset key may be
-- named without its `$identity_`.
-- Grain: one row per person and pair it is found by; by id, one row per person.
-- Parameters: named, identity_key, identity_value (text; empty where `named` is no KEY=VALUE).
select distinct
    'pair' as found_by,
    cast(person_id as varchar) as person_id,
    identity_key,
    identity_value,
from identities
where
    identity_value = $identity_value
    and identity_key in ($identity_key, '$identity_' || $identity_key)
    and $identity_key <> ''
union all
select distinct
    'value' as found_by,
    cast(person_id as varchar) as person_id,
    identity_key,
    identity_value,
from identities
where identity_value = $named
union all
select distinct
    'id' as found_by,
    cast(person_id as varchar) as person_id,
    '' as identity_key,
    '' as identity_value,
from identities
where
    length($named) >= 4
    and starts_with(cast(person_id as varchar), lower($named))
order by all
