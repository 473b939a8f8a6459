-- Purpose: what was refused, newest first.
-- Grain: one row per refused message or body.
-- Parameters: reason, event_name, protocol (text, or null for all), limit (rows).
select
    received_at,
    protocol,
    record_type,
    event_name,
    reason,
    detail,
    original,
    original_length,
    original_sha256,
    is_original_dropped,
    log_order,
    stream,
    log_file,
    log_offset,
    message_index,
from rejects
where
    ($reason is null or reason = $reason)
    and ($event_name is null or event_name = $event_name)
    and ($protocol is null or protocol = $protocol)
order by log_order desc
limit $limit
