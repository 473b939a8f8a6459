-- Purpose: what operators did to the warehouse, from the log.
-- Grain: one row per act; details is a JSON object.
create or replace view acts as
select
    act,
    operator,
    details,
    received_at,
    log_order,
from store.acts
