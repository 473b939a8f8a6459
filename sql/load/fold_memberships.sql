-- Purpose: when persons were in which accounts. Reads `folded_identities`.
-- Grain: one row per person (by founder), account and period. The first evidence of any kind begins a membership; after an end, only an
-- explicit joining begins another.
with evidence as (
    select
        folded.founder_id,
        evidence.account_type,
        coalesce(merged.into_id, evidence.account_id) as account_id,
        evidence.kind,
        evidence.happened_at,
        evidence.log_order,
    from store.account_evidence as evidence
    inner join folded_identities as folded
        on evidence.identity_id = folded.identity_id
    left join store.merged_accounts as merged
        on evidence.account_type = merged.account_type
        and evidence.account_id = merged.account_id
),

steps as (
    select
        founder_id,
        account_type,
        account_id,
        min(happened_at) as happened_at,
        arg_min(log_order, (happened_at, log_order)) as log_order,
        true as is_member,
    from evidence
    where kind <> 'left'
    group by
        founder_id,
        account_type,
        account_id
    union all
    select
        founder_id,
        account_type,
        account_id,
        happened_at,
        log_order,
        kind = 'joined' as is_member,
    from evidence
    where kind <> 'named'
),

changes as (
    select *
    from steps
    qualify
        is_member <> lag(is_member, 1, false) over (
            partition by founder_id, account_type, account_id
            order by happened_at, log_order
        )
),

periods as (
    select
        founder_id,
        account_type,
        account_id,
        is_member,
        happened_at as joined_at,
        log_order as joined_order,
        lead(happened_at) over timeline as left_at,
        lead(log_order) over timeline as left_order,
    from changes
    window timeline as (
        partition by founder_id, account_type, account_id
        order by happened_at, log_order
    )
)

select * exclude (is_member)
from periods
where
    is_member
    and (left_at is null or left_at > joined_at)
