-- Purpose: what the accepted resends that go counted for, and which reason makes them duplicates. Reads `displaced`.
-- Grain: one row per load and kind of message.
with accepted as (
    select
        load_id,
        protocol,
        record_type,
        'event' as outcome,
        dedupe_key,
        log_order,
    from store.events
    union all
    select
        load_id,
        protocol,
        record_type,
        'call' as outcome,
        dedupe_key,
        log_order,
    from store.calls
)

select
    accepted.load_id,
    accepted.protocol,
    accepted.record_type,
    accepted.outcome,
    cast(null as varchar) as reason,
    if(accepted.dedupe_key is null, 'same_content', 'same_key') as duplicate_reason,
    count(*) as message_count,
from accepted
inner join displaced
    on accepted.log_order = displaced.log_order
group by all
