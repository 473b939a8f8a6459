-- Purpose: how messages that were kept deviate from the tracking plan; those it refused are in `rejects`.
-- Grain: one row per target ('event', 'person', 'account'), event name, property and reason. property is null where the event
-- itself is not in the plan, event_name is null for changes of persons and accounts.
create or replace view plan_violations as
select
    target,
    event_name,
    property,
    reason,
    cast(sum(message_count) as ubigint) as message_count,
from store.plan_violations
group by
    target,
    event_name,
    property,
    reason
