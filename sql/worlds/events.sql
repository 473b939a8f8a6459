-- Purpose: events in another world. Reads `world_moved` (messages of another incarnation in it).
-- Grain: one row per event that is known and has happened in it.
-- Parameters: known_order (text, place in the log), happened_at (text, UTC timestamp; what happened before it).
select events.* replace (coalesce(moved.identity_id, events.identity_id) as identity_id)
from store.events as events
left join world_moved as moved
    on events.log_order = moved.log_order
where
    events.log_order < $known_order
    and events.event_at < cast($happened_at as timestamp)
