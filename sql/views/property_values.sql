-- Purpose: the properties of persons and accounts now: the open rows of property_history, so that the two never disagree.
-- Grain: one row per target ('person', or the type of an account: 'account', ...), its id and property name that has a value. Values
-- are JSON.
create or replace view property_values as
select
    target,
    person_id,
    account_id,
    target_id,
    property_name,
    value,
from property_history
where
    valid_until is null
    -- Implied by the line above; it keeps what was replaced out of the folding.
    and resets_after = 0
    and value is not null
