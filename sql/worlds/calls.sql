-- Purpose: calls in another world. Reads `world_moved` (messages of another incarnation in it).
-- Grain: one row per call that is known and has happened in it.
-- Parameters: known_order (text, place in the log), happened_at (text, UTC timestamp; what happened before it).
select calls.* replace (coalesce(moved.identity_id, calls.identity_id) as identity_id)
from store.calls as calls
left join world_moved as moved
    on calls.log_order = moved.log_order
where
    calls.log_order < $known_order
    and calls.called_at < cast($happened_at as timestamp)
