-- Purpose: keep what was refused. Reads `rejects`.
-- Grain: one row per refused message or body.
insert into store.rejects by name
select
    rejects.*,
    cast($load_id as ubigint) as load_id,
from rejects
