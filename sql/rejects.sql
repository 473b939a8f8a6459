-- Purpose: what was refused, newest first.
-- Grain: one row per refused message or body.
-- Parameters: reason (text, or null for all), limit (rows).
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
    log_order,
from rejects
where
    $reason is null
    or reason = $reason
order by log_order desc
limit $limit
