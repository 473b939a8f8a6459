-- Purpose: which identities joined an account for the first time, or earlier than known. Reads `messages` and `accepted`.
-- Grain: one row per identity and account.
with batch_memberships as (
    select
        accepted.identity_id,
        messages.account_id,
        min(messages.message_at) as joined_at,
    from messages
    inner join accepted
        on messages."row" = accepted."row"
    where
        messages.account_id is not null
        and accepted.identity_id is not null
    group by
        accepted.identity_id,
        messages.account_id
)

select
    batch_memberships.identity_id,
    batch_memberships.account_id,
    batch_memberships.joined_at,
from batch_memberships
left join store.memberships as memberships
    on batch_memberships.identity_id = memberships.identity_id
    and batch_memberships.account_id = memberships.account_id
where
    memberships.identity_id is null
    or batch_memberships.joined_at < memberships.joined_at
