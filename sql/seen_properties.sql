-- Purpose: the properties that calls have ever set of persons and accounts, also where none has a value now.
-- Grain: one row per target ('person', or the type of an account: 'account', ...) and property name.
with named as (
    select distinct
        -- A group call changes the first account that it names.
        case
            when target = 'account' and account_id is null then map_keys(accounts)[1]
            else target
        end as target,
        json_keys(changes) as property_names,
    from store.calls
    where
        target in ('person', 'account')
        and operation <> 'delete'
)

select distinct
    target,
    unnest(property_names) as property_name,
from named
