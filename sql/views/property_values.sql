-- Purpose: the properties of persons and accounts now: every set, set_once, increment, append, unset and delete in the order
-- of its time (called_at, then log_order).
-- Grain: one row per target ('person', or the type of an account: 'account', ...), its id and property name that has a value. Values
-- are JSON.
create or replace view property_values as
with property_calls as (
    select
        case when calls.target = 'person' then 'person' else accounts.account_type end as target,
        coalesce(cast(identities.person_id as varchar), merged.into_id, accounts.account_id) as target_id,
        calls.operation,
        calls.changes,
        calls.called_at,
        calls.log_order,
    from store.calls as calls
    left join store.identities as identities
        on calls.identity_id = identities.identity_id
        and calls.target = 'person'
    -- A group call changes the first account that it names.
    left join lateral (
        select
            case when calls.account_id is null then map_keys(calls.accounts)[1] else 'account' end as account_type,
            coalesce(calls.account_id, map_values(calls.accounts)[1][1]) as account_id,
    ) as accounts
        on calls.target = 'account'
    left join store.merged_accounts as merged
        on accounts.account_type = merged.account_type
        and accounts.account_id = merged.account_id
    where
        calls.target = 'person'
        or calls.target = 'account'
),

named_changes as (
    select
        target,
        target_id,
        unnest(json_keys(changes)) as property_name,
        operation,
        changes,
        called_at,
        log_order,
    from property_calls
    where operation <> 'delete'
),

value_changes as (
    select
        target,
        target_id,
        property_name,
        operation,
        -- A JSON pointer: a path ('$."name"') cannot name every property, such as "", "\" and "*".
        json_extract(changes, '/' || replace(replace(property_name, '~', '~0'), '/', '~1')) as value,
        called_at,
        log_order,
    from named_changes
),

deletions as (
    select
        names.target,
        names.target_id,
        names.property_name,
        property_calls.operation,
        cast(null as json) as value,
        property_calls.called_at,
        property_calls.log_order,
    from (select distinct target, target_id, property_name from value_changes) as names
    inner join property_calls
        on names.target = property_calls.target
        and names.target_id = property_calls.target_id
        and property_calls.operation = 'delete'
),

histories as (
    select
        target,
        target_id,
        property_name,
        list(
            struct_pack(operation := operation, value := value)
            order by called_at, log_order
        ) as changes,
    from (from value_changes union all from deletions)
    group by
        target,
        target_id,
        property_name
),

current_values as (
    select
        target,
        target_id,
        property_name,
        list_reduce(
            changes,
            lambda state, change: struct_pack(
                operation := 'state',
                value := case change.operation
                    when 'set' then change.value
                    when 'set_once' then coalesce(state.value, change.value)
                    -- A sum beyond a double is infinite, which JSON cannot say; the value before it stays.
                    when 'increment' then case
                        when isfinite(
                            coalesce(try_cast(state.value as double), 0) + coalesce(try_cast(change.value as double), 0)
                        ) then to_json(
                            coalesce(try_cast(state.value as double), 0) + coalesce(try_cast(change.value as double), 0)
                        )
                        else state.value
                    end
                    -- Each value once, in the order of its first appending (list_distinct shuffles).
                    when 'append' then to_json(list_reduce(
                        coalesce(try_cast(change.value as json[]), [change.value]),
                        lambda have, item: case when list_contains(have, item) then have else list_append(have, item) end,
                        coalesce(try_cast(state.value as json[]), cast([] as json[]))
                    ))
                end
            ),
            struct_pack(operation := 'state', value := cast(null as json))
        ).value as value,
    from histories
)

select
    target,
    target_id,
    property_name,
    value,
from current_values
where value is not null
