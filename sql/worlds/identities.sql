-- Purpose: identities in another world, with when they were seen in it. Reads `world_persons` and `world_seen`.
-- Grain: one row per identity that was seen in it.
select persons.* replace (
    seen.first_seen_at as first_seen_at,
    seen.last_seen_at as last_seen_at
)
from world_persons as persons
inner join world_seen as seen
    on persons.identity_id = seen.identity_id
