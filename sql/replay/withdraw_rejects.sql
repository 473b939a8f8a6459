-- Purpose: what the rejects that go counted for. Reads `replaced`.
-- Grain: one row per load and kind of message.
select
    rejects.load_id,
    rejects.protocol,
    rejects.record_type,
    'rejected' as outcome,
    rejects.reason,
    count(*) as message_count,
from store.rejects as rejects
inner join replaced
    on rejects.log_order = replaced.log_order
group by all
