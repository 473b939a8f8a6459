-- Purpose: the log files that loaded messages came from.
-- Grain: one row per stream and file.
select distinct
    split_part(log_order, '/', 2) as stream,
    cast(split_part(log_order, '/', 3) as ubigint) as log_file,
from (
    select log_order from store.events
    union all
    select log_order from store.calls
)
order by
    stream,
    log_file
