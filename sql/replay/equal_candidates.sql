-- Purpose: accepted messages without a key that may equal one of this batch; whether they do, the log says. Reads `messages`.
-- Grain: one row per place in the log.
-- Parameters: window_us (microseconds between arrivals within which equal messages are one); first_received_at,
-- last_received_at (timestamps between which any of them arrived).
with accepted as (
    select
        protocol,
        record_type,
        event_name,
        original_event_at as original_at,
        distinct_id,
        received_at,
        log_order,
    from store.events
    where dedupe_key is null
    union all
    select
        protocol,
        record_type,
        null as event_name,
        null as original_at,
        distinct_id,
        received_at,
        log_order,
    from store.calls
    where dedupe_key is null
)

select distinct accepted.log_order
from messages
inner join accepted
    on messages.protocol = accepted.protocol
    and messages.record_type = accepted.record_type
    and messages.event_name is not distinct from accepted.event_name
    and messages.distinct_id is not distinct from accepted.distinct_id
    and messages.original_at = coalesce(accepted.original_at, messages.original_at)
where
    messages.content_hash is not null
    and accepted.received_at between $first_received_at and $last_received_at
    and abs(epoch_us(messages.received_at) - epoch_us(accepted.received_at)) <= $window_us
order by accepted.log_order
