-- Purpose: identities that are another person's in the imagined world. Reads `stored_identities`, which are as they are without it.
-- Grain: one row per identity.
select
    stored_identities.identity_key,
    stored_identities.identity_value,
    stored_identities.incarnation,
    cast(stored_identities.person_id as varchar) as person_before,
    cast(identities.person_id as varchar) as person_after,
from stored_identities
inner join identities
    on stored_identities.identity_key = identities.identity_key
    and stored_identities.identity_value = identities.identity_value
    and stored_identities.incarnation = identities.incarnation
where stored_identities.person_id <> identities.person_id
order by
    stored_identities.identity_key,
    stored_identities.identity_value,
    stored_identities.incarnation
