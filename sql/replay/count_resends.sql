-- Purpose: resends that were accepted and no longer are count as duplicates of what came back. Reads `withdrawn`.
-- Grain: one row per load and kind of message.
insert into store.arrivals by name
select
    load_id,
    protocol,
    record_type,
    'duplicate' as outcome,
    duplicate_reason as reason,
    cast(message_count as ubigint) as message_count,
from withdrawn
