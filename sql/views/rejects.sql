-- Purpose: what was refused, and why; the original is kept, and the position in the log where it came.
-- Grain: one row per refused message or body. original_sha256 is set where only the first bytes are kept; original is null
-- where it was dropped to keep the budget (is_original_dropped): the log has it as long as that file exists.
create or replace view rejects as
select
    received_at,
    protocol,
    reason,
    event_name,
    record_type,
    detail,
    case when not is_original_dropped then original end as original,
    original_length,
    original_sha256,
    is_original_dropped,
    log_order,
    split_part(log_order, '/', 2) as stream,
    cast(split_part(log_order, '/', 3) as ubigint) as log_file,
    cast(split_part(log_order, '/', 4) as ubigint) as log_offset,
    cast(split_part(log_order, '/', 5) as ubigint) as message_index,
from store.rejects
