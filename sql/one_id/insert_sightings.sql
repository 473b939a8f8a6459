-- Purpose: note when the messages of a batch saw identities that were known before. Reads `new_identities` and `seen_identities`.
-- Grain: one row per known identity that it saw.
insert into store.later_sightings by name
select
    seen.identity_id,
    seen.first_seen_at,
    seen.last_seen_at,
from seen_identities as seen
anti join new_identities
    on seen.identity_id = new_identities.identity_id
