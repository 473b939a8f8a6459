-- Purpose: count what came and what became of it. Reads `messages`, `accepted` and `rejects`.
-- Grain: one row per protocol, record type, outcome and reason.
insert into store.arrivals by name
with outcomes as (
    select
        messages.protocol,
        messages.record_type,
        case
            when accepted."row" is null then 'duplicate'
            when messages.event_name is null then 'call'
            else 'event'
        end as outcome,
        case
            when accepted."row" is not null then null
            when messages.dedupe_key is not null then 'same_key'
            else 'same_content'
        end as reason,
    from messages
    left join accepted
        on messages."row" = accepted."row"
    union all
    select
        protocol,
        record_type,
        'rejected' as outcome,
        reason,
    from rejects
)

select
    cast($load_id as ubigint) as load_id,
    protocol,
    record_type,
    outcome,
    reason,
    count(*) as message_count,
from outcomes
group by all
