-- Purpose: what the messages at these places in the log were.
-- Grain: one row per message that is an event or a call.
-- Parameters: log_orders (text, a JSON list of places in the log).
with wanted as (
    select unnest(from_json(cast($log_orders as json), '["varchar"]')) as log_order
)

select
    events.log_order,
    events.event_name,
    events.record_type,
    events.source,
from store.events as events
semi join wanted
    on events.log_order = wanted.log_order
union all by name
select
    calls.log_order,
    cast(null as varchar) as event_name,
    calls.record_type,
    calls.source,
from store.calls as calls
semi join wanted
    on calls.log_order = wanted.log_order
