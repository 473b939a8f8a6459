-- Purpose: accepted messages that came later than a message of this batch, under the same key. Reads `messages`.
-- Grain: one row per message of the batch and accepted message.
-- Parameters: first_received_at (timestamp of the batch's first message; what came before it need not be looked at).
with accepted as (
    select
        event_id as message_id,
        received_at,
        log_order,
    from store.events
    where dedupe_key is not null
    union all
    select
        call_id as message_id,
        received_at,
        log_order,
    from store.calls
    where dedupe_key is not null
)

select
    messages."row",
    accepted.log_order,
from messages
inner join accepted
    on messages.message_id = accepted.message_id
where
    messages.dedupe_key is not null
    and accepted.log_order > messages.log_order
    and accepted.received_at >= $first_received_at
order by
    messages."row",
    accepted.log_order
