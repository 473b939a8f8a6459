-- Purpose: empty the oldest originals beyond the budget; the row, its reason, position and length stay.
-- Grain: one updated row per reject that loses its original.
-- Parameters: excess_bytes (bytes of originals to give up, oldest first).
update store.rejects
set
    original = cast('' as blob),
    kept_bytes = 0,
    is_original_dropped = true,
from (
    select
        log_order,
        sum(kept_bytes) over (order by log_order) - kept_bytes as bytes_before,
    from store.rejects
    where kept_bytes > 0
) as kept
where
    rejects.log_order = kept.log_order
    and rejects.kept_bytes > 0
    and kept.bytes_before < $excess_bytes
