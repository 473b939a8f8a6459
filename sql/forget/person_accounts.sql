-- Purpose: the accounts of a person, from when to when.
-- Grain: one row per account and period.
-- Parameters: person_id (text).
select
    account_type,
    account_id,
    joined_at,
    left_at,
from memberships
where person_id = cast($person_id as uuid)
order by
    joined_at,
    account_type,
    account_id
