-- Purpose: keep what was refused. Reads `rejects`.
-- Grain: one row per refused message or body.
insert into store.rejects by name
select
    rejects.*,
    octet_length(rejects.original) as kept_bytes,
    false as is_original_dropped,
    cast($load_id as ubigint) as load_id,
from rejects
