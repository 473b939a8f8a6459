-- Purpose: the rejects of a batch that are refused as before: their rows stay as they are. Reads `rejects`.
-- Grain: one row per place in the log.
select distinct rejects.log_order
from rejects
inner join store.rejects as before
    on rejects.log_order = before.log_order
    and rejects.reason = before.reason
    and rejects.detail = before.detail
    and rejects.record_type is not distinct from before.record_type
    and rejects.event_name is not distinct from before.event_name
