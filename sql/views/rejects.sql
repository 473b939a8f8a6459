-- Purpose: what was refused, and why; the original is kept.
-- Grain: one row per refused message or body. original_sha256 is set where only the first bytes are kept.
create or replace view rejects as
select
    received_at,
    protocol,
    reason,
    event_name,
    record_type,
    detail,
    original,
    original_length,
    original_sha256,
    log_order,
from store.rejects
