-- Purpose: what was refused, in kinds.
-- Grain: one row per reason, protocol and event name, the most frequent first; example is the newest detail.
-- Parameters: reason, event_name, protocol (text, or null for all).
select
    reason,
    protocol,
    event_name,
    count(*) as reject_count,
    min(received_at) as first_received_at,
    max(received_at) as last_received_at,
    count(*) filter (where is_original_dropped) as dropped_original_count,
    arg_max(detail, log_order) as example,
from rejects
where
    ($reason is null or reason = $reason)
    and ($event_name is null or event_name = $event_name)
    and ($protocol is null or protocol = $protocol)
group by
    reason,
    protocol,
    event_name
order by
    reject_count desc,
    reason,
    protocol,
    event_name
