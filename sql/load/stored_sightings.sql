-- Purpose: which accounts the stored messages of some identities name. Reads `recollected_identities`.
-- Grain: one row per message and account that it names.
with stored_messages as (
    select
        identity_id,
        account_id,
        accounts,
        'named' as kind,
        event_at as happened_at,
        log_order,
    from store.events
    where account_id is not null or accounts is not null
    union all
    select
        identity_id,
        account_id,
        accounts,
        case
            when is_leave then 'left'
            when record_type = 'group' then 'joined'
            else 'named'
        end as kind,
        called_at as happened_at,
        log_order,
    from store.calls
    where account_id is not null or accounts is not null
),

chosen_messages as (
    select stored_messages.*
    from stored_messages
    semi join recollected_identities
        on stored_messages.identity_id = recollected_identities.identity_id
),

entries as (
    select
        * exclude (account_id, accounts),
        unnest(map_entries(accounts)) as entry,
    from chosen_messages
    where accounts is not null
)

select
    identity_id,
    'account' as account_type,
    account_id,
    kind,
    happened_at,
    log_order,
from chosen_messages
where account_id is not null
union all
select
    identity_id,
    entry.key as account_type,
    unnest(entry.value) as account_id,
    kind,
    happened_at,
    log_order,
from entries
