-- Purpose: the messages from which pairs are folded anew. Reads `component`.
-- Grain: one row per message that belongs to one of the pairs, in canonical order.
with component_identities as (
    select
        identities.identity_id,
        identities.pair_id,
    from store.identities as identities
    semi join component
        on identities.pair_id = component.pair_id
),

messages as (
    select
        log_order,
        received_at,
        event_at as message_at,
        protocol,
        record_type,
        identity_id,
        other_pair_ids,
        is_unbind,
        true as is_event,
    from store.events
    union all
    select
        log_order,
        received_at,
        called_at as message_at,
        protocol,
        record_type,
        identity_id,
        other_pair_ids,
        is_unbind,
        false as is_event,
    from store.calls
)

select
    messages.log_order,
    epoch_us(messages.received_at) as received_at_us,
    cast(split_part(messages.log_order, '/', 5) as ubigint) as message_index,
    messages.message_at,
    messages.protocol,
    messages.record_type,
    messages.identity_id,
    component_identities.pair_id,
    messages.other_pair_ids,
    messages.is_unbind,
    messages.is_event,
from messages
inner join component_identities
    on messages.identity_id = component_identities.identity_id
order by messages.log_order
