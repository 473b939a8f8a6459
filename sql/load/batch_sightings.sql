-- Purpose: which identities a batch put together with which accounts. Reads `messages` and `accepted`.
-- Grain: one row per message with an identity and account that it names.
with accepted_messages as (
    select
        accepted.identity_id,
        messages.account_id,
        messages.accounts,
        case
            when messages.is_leave then 'left'
            when messages.record_type = 'group' then 'joined'
            else 'named'
        end as kind,
        messages.message_at as happened_at,
        messages.log_order,
    from messages
    inner join accepted
        on messages."row" = accepted."row"
    where accepted.identity_id is not null
),

entries as (
    select
        * exclude (account_id, accounts),
        unnest(map_entries(accounts)) as entry,
    from accepted_messages
    where accounts is not null
)

select
    identity_id,
    'account' as account_type,
    account_id,
    kind,
    happened_at,
    log_order,
from accepted_messages
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
