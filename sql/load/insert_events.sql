-- Purpose: write the events of a batch. Reads `messages` and `accepted`.
-- Grain: one row per event.
insert into store.events by name
select
    messages.message_id as event_id,
    messages.event_name,
    messages.message_at as event_at,
    messages.received_at,
    messages.original_at as original_event_at,
    messages.sent_at,
    accepted.identity_id,
    accepted.other_pair_ids,
    messages.is_unbind,
    messages.account_id,
    messages.accounts,
    messages.distinct_id,
    messages.dedupe_key,
    messages.protocol,
    messages.record_type,
    messages.source,
    messages.sdk,
    messages.sdk_version,
    messages.log_order,
    cast($load_id as ubigint) as load_id,
    messages.properties,
    messages.other_properties,
from messages
inner join accepted
    on messages."row" = accepted."row"
where messages.event_name is not null
order by messages."row"
