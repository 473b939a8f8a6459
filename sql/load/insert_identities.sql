-- Purpose: write the identities that a batch brought. Reads `new_identities`, `sightings` and `messages`.
-- Grain: one row per new identity. Each founds a person of its own until its links are applied.
insert into store.identities by name
select
    new_identities.identity_id,
    new_identities.identity_key,
    new_identities.identity_value,
    new_identities.incarnation,
    min(messages.message_at) as first_seen_at,
    max(messages.message_at) as last_seen_at,
    min(messages.log_order || printf('/%06d', sightings.place)) as log_order,
    new_identities.identity_id as founder_id,
    cast(new_identities.person_id as uuid) as own_person_id,
    cast(new_identities.person_id as uuid) as person_id,
from new_identities
inner join sightings
    on new_identities.identity_id = sightings.identity_id
inner join messages
    on sightings."row" = messages."row"
group by all
