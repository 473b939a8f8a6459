-- Purpose: write the messages of a batch that are not events. Reads `messages` and `accepted`.
-- Grain: one row per call.
insert into store.calls by name
select
    messages.message_id as call_id,
    messages.record_type,
    messages.message_at as called_at,
    messages.received_at,
    accepted.identity_id,
    accepted.other_pair_ids,
    messages.is_unbind,
    messages.account_id,
    messages.accounts,
    messages.is_leave,
    messages.distinct_id,
    messages.dedupe_key,
    messages.protocol,
    messages.source,
    messages.sdk,
    messages.sdk_version,
    messages.target,
    messages.operation,
    messages.item_type,
    messages.item_id,
    messages.changes,
    messages.other_properties as other_changes,
    messages.log_order,
    cast($load_id as ubigint) as load_id,
from messages
inner join accepted
    on messages."row" = accepted."row"
where messages.event_name is null
order by messages."row"
