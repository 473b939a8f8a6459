-- Purpose: when the messages of a batch saw each identity. Reads `sightings` and `messages`.
-- Grain: one row per identity.
select
    sightings.identity_id,
    min(messages.message_at) as first_seen_at,
    max(messages.message_at) as last_seen_at,
    min(messages.log_order || printf('/%06d', sightings.place)) as log_order,
from sightings
inner join messages
    on sightings."row" = messages."row"
group by sightings.identity_id
