-- Purpose: count how the kept messages of a batch deviate from the plan. Reads `violations` and `accepted`.
-- Grain: one row per target, event name, property and reason.
insert into store.plan_violations by name
select
    cast($load_id as ubigint) as load_id,
    violations.target,
    violations.event_name,
    violations.property,
    violations.reason,
    count(*) as message_count,
from violations
inner join accepted
    on violations."row" = accepted."row"
group by all
