-- Purpose: operators' acts in another world, those included that are only thought of. Reads `world_also`.
-- Grain: one row per act.
-- Parameters: known_order (text, place in the log).
select acts.*
from store.acts as acts
where acts.log_order < $known_order
union all by name
select *
from world_also
