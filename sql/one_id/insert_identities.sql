-- Purpose: write the identities that a batch brought. Reads `new_identities` and `seen_identities`.
-- Grain: one row per new identity. Each founds a person of its own until its links are written.
insert into store.identities by name
select
    new_identities.identity_id,
    new_identities.pair_id,
    new_identities.pair_hash,
    new_identities.identity_key,
    new_identities.identity_value,
    new_identities.incarnation,
    seen.first_seen_at,
    seen.last_seen_at,
    seen.log_order,
    new_identities.identity_id as founder_id,
    new_identities.own_person_id,
    new_identities.own_person_id as person_id,
from new_identities
inner join seen_identities as seen
    on new_identities.identity_id = seen.identity_id
