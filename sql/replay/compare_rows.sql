-- Purpose: how many rows two warehouses share, and how many only one has; equal rows count as often as both have them.
-- Grain: one row; the examples are the hash of a row that only one side has. Reads `old_rows` and `new_rows`.
with old_counts as (
    select
        row_hash,
        count(*) as row_count,
    from old_rows
    group by row_hash
),

new_counts as (
    select
        row_hash,
        count(*) as row_count,
    from new_rows
    group by row_hash
),

differences as (
    select
        coalesce(old_counts.row_hash, new_counts.row_hash) as row_hash,
        coalesce(old_counts.row_count, 0) as old_count,
        coalesce(new_counts.row_count, 0) as new_count,
    from old_counts
    full join new_counts
        on old_counts.row_hash = new_counts.row_hash
)

select
    cast(coalesce(sum(least(old_count, new_count)), 0) as bigint) as equal,
    cast(coalesce(sum(greatest(old_count - new_count, 0)), 0) as bigint) as only_old,
    cast(coalesce(sum(greatest(new_count - old_count, 0)), 0) as bigint) as only_new,
    min(row_hash) filter (where old_count > new_count) as old_example,
    min(row_hash) filter (where new_count > old_count) as new_example,
from differences
