-- Purpose: what the properties of persons and accounts have been and are: the one place where calls are folded into values,
-- in the order of their time (called_at, then log_order). docs/concepts/properties.md has the rules.
-- Grain: one row per target ('person', or the type of an account: 'account', ...), its id, property and moment of a call that may
-- change it; valid_until is the next such moment, null for the row that holds now. `value` is JSON, null where there is none;
-- `resets_after`: how many later calls replace the value whatever it is.
create or replace view property_history as
with calls_with_accounts as (
    select
        *,
        -- A group call changes the first account that it names.
        case
            when target = 'account' and account_id is null then map_keys(accounts)[1]
            else target
        end as target_kind,
        case when target = 'account' then coalesce(account_id, map_values(accounts)[1][1]) end as named_account_id,
    from store.calls
    where target = 'person' or target = 'account'
),

-- All that is known here of who a target is: its kind, and one of the two ids.
target_calls as (
    select
        calls.target_kind as target,
        identities.person_id,
        coalesce(merged.into_id, calls.named_account_id) as account_id,
        calls.operation,
        calls.changes,
        calls.called_at,
        calls.log_order,
    from calls_with_accounts as calls
    left join store.identity_persons as identities
        on calls.identity_id = identities.identity_id
        and calls.target = 'person'
    left join store.merged_accounts as merged
        on calls.target_kind = merged.account_type
        and calls.named_account_id = merged.account_id
    where
        identities.person_id is not null
        or calls.named_account_id is not null
),

-- A number per target sorts faster than the text of log_order.
numbered_calls as (
    select
        *,
        row_number() over (partition by target, person_id, account_id order by called_at, log_order) as call_number,
    from target_calls
),

named_changes as (
    select
        target,
        person_id,
        account_id,
        operation,
        unnest(json_keys(changes)) as property_name,
        changes,
        called_at,
        log_order,
        call_number,
    from numbered_calls
    where operation <> 'delete'
),

value_changes as (
    select
        * exclude (changes),
        -- A JSON pointer: a path ('$."name"') cannot name every property, such as "", "\" and "*".
        json_extract(changes, '/' || replace(replace(property_name, '~', '~0'), '/', '~1')) as value,
    from named_changes
    where operation <> 'append'
),

appended_values as (
    select
        * exclude (changes),
        json_extract(changes, '/' || replace(replace(property_name, '~', '~0'), '/', '~1')) as value,
    from named_changes
    where operation = 'append'
),

-- A row per item; one value that is no list is an item.
appended_items as (
    select
        * exclude (value),
        unnest(coalesce(try_cast(value as json[]), [value])) as value,
        generate_subscripts(coalesce(try_cast(value as json[]), [value]), 1) as item_number,
    from appended_values
),

-- The call before that appended the same, so that equal items are told without looking through lists.
compared_items as (
    select
        *,
        lag(call_number) over (
            partition by target, person_id, account_id, property_name, value
            order by call_number, item_number
        ) as equal_call_number,
    from appended_items
    where value <> 'null'
),

deleted_names as (
    select
        named_changes.target,
        named_changes.person_id,
        named_changes.account_id,
        named_changes.property_name,
        min(named_changes.call_number) as first_call_number,
    from named_changes
    semi join (from numbered_calls where operation = 'delete') as deletions
        on named_changes.target = deletions.target
        and named_changes.person_id is not distinct from deletions.person_id
        and named_changes.account_id is not distinct from deletions.account_id
    group by all
),

deletions as (
    select
        deleted_names.* exclude (first_call_number),
        calls.operation,
        cast(null as json) as value,
        calls.called_at,
        calls.log_order,
        calls.call_number,
    from deleted_names
    inner join numbered_calls as calls
        on deleted_names.target = calls.target
        and deleted_names.person_id is not distinct from calls.person_id
        and deleted_names.account_id is not distinct from calls.account_id
        and deleted_names.first_call_number < calls.call_number
    where calls.operation = 'delete'
),

changes as (
    from value_changes
    union all by name
    from compared_items
    union all by name
    from deletions
),

-- From one reset to the next a property is counted up or added to.
epochs as (
    select
        *,
        lead(called_at) over of_property as valid_until,
        count(*) filter (operation in ('set', 'unset', 'delete')) over (
            of_property rows between 1 following and unbounded following
        ) as resets_after,
        max(call_number) filter (operation in ('set', 'unset', 'delete')) over of_property as reset_call_number,
    from changes
    window of_property as (
        partition by target, person_id, account_id, property_name
        order by call_number, item_number
    )
),

-- What a change makes of a property that has no value: the first such change of an epoch founds it.
foundings as (
    select
        *,
        -- What counts: nine decimals and up to fifteen digits before them, so that sums are exact in whatever order they are made.
        case
            when json_type(value) in ('BIGINT', 'UBIGINT', 'DOUBLE') then try_cast(value ->> '$' as decimal(24, 9))
        end as number,
        case
            when operation in ('set', 'set_once') then nullif(value, 'null')
            when operation = 'append' then json_array(value)
            when operation = 'increment' and number is not null then value
        end as founding_value,
    from epochs
),

folded as (
    select
        *,
        first_value(founding_value ignore nulls) over in_epoch as founded_value,
        first_value(case when founding_value is not null then operation end ignore nulls) over in_epoch as founded_by,
        sum(number) filter (operation = 'increment') over in_epoch as added_number,
        list(value) filter (
            operation = 'append' and (equal_call_number is null or equal_call_number < reset_call_number)
        ) over in_epoch as added_items,
    from foundings
    window in_epoch as (
        partition by target, person_id, account_id, property_name, resets_after
        order by call_number, item_number
        rows between unbounded preceding and current row
    )
),

property_states as (
    select
        *,
        case
            when added_number is not null and json_type(founded_value) in ('BIGINT', 'UBIGINT', 'DOUBLE') then
                case
                    when founded_by = 'increment' then added_number
                    else added_number + try_cast(founded_value ->> '$' as decimal(24, 9))
                end
        end as sum_number,
        case
            when added_items is not null and founded_by = 'append' then added_items
            when added_items is not null and json_type(founded_value) = 'ARRAY' then list_concat(
                cast(founded_value as json[]),
                list_filter(added_items, lambda item: not list_contains(cast(founded_value as json[]), item))
            )
        end as all_items,
    from folded
)

select
    target,
    person_id,
    account_id,
    coalesce(cast(person_id as varchar), account_id) as target_id,
    property_name,
    case
        when sum_number is not null then cast(rtrim(rtrim(cast(sum_number as varchar), '0'), '.') as json)
        when all_items is not null then to_json(all_items)
        else founded_value
    end as value,
    called_at as valid_from,
    valid_until,
    log_order,
    resets_after,
from property_states
-- Of several calls at one moment the last one stands.
where valid_until is null or valid_until > called_at
