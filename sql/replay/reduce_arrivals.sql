-- Purpose: take back what no longer counts. Reads `withdrawn`.
-- Grain: one updated row per load and kind of message.
update store.arrivals
set message_count = arrivals.message_count - less.message_count
from (
    select
        load_id,
        protocol,
        record_type,
        outcome,
        reason,
        cast(sum(message_count) as ubigint) as message_count,
    from withdrawn
    group by
        load_id,
        protocol,
        record_type,
        outcome,
        reason
) as less
where
    arrivals.load_id = less.load_id
    and arrivals.protocol = less.protocol
    and arrivals.record_type is not distinct from less.record_type
    and arrivals.outcome = less.outcome
    and arrivals.reason is not distinct from less.reason
