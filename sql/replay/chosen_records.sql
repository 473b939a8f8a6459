-- Purpose: the next records of the log with rejects that are to be sent through again.
-- Grain: one row per record, in canonical order. rest_after is set where nothing of the record after its chosen rejects was read:
-- once mended, it may hold more messages.
-- Parameters: reason, event_name, protocol (text, or null for all), since (timestamp, or null), after and until (log_order: records
-- behind the one and not behind the other), limit (records).
with placed_rejects as (
    select
        log_order[:-8] as record_order,
        cast(log_order[-6:] as ubigint) as message_index,
        is_last,
        ($reason is null or reason = $reason)
        and ($event_name is null or event_name = $event_name)
        and ($protocol is null or protocol = $protocol)
        and ($since is null or received_at >= $since) as is_chosen,
        max(message_index) over (partition by record_order) as last_index,
    from store.rejects
    where
        log_order > $after || '/~'
        and log_order <= $until
)

select
    record_order,
    list(distinct message_index order by message_index) as indexes,
    max(message_index) filter (where is_last and message_index = last_index) as rest_after,
from placed_rejects
where is_chosen
group by record_order
order by record_order
limit $limit
