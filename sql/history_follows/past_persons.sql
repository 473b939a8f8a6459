-- Purpose: persons that are no more but keep events of their time: where history follows, there are none.
-- Grain: one row per person.
select
    person_id,
    founder_id,
    first_seen_at,
    last_seen_at,
from store.known_identities
where false
