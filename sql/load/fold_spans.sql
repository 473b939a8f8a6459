-- Purpose: which account stands for events that name none: of the accounts that the person is in at that time the one joined first;
-- before any, the one joined first of all. Reads `folded_identities` and `folded_memberships`.
-- Grain: one row per identity, account type and span of time.
with periods as (
    select
        founder_id,
        account_type,
        account_id,
        joined_at,
        case
            when joined_at = min(joined_at) over (partition by founder_id, account_type) then timestamp '-infinity'
            else joined_at
        end as from_at,
        coalesce(left_at, timestamp 'infinity') as until_at,
    from folded_memberships
),

moments as (
    select
        founder_id,
        account_type,
        from_at as moment,
    from periods
    union
    select
        founder_id,
        account_type,
        until_at as moment,
    from periods
),

steps as (
    select
        founder_id,
        account_type,
        moment as from_at,
        lead(moment) over (partition by founder_id, account_type order by moment) as until_at,
    from moments
),

spans as (
    select
        steps.founder_id,
        steps.account_type,
        arg_min(periods.account_id, (periods.joined_at, periods.account_id)) as account_id,
        steps.from_at,
        steps.until_at,
    from steps
    inner join periods
        on steps.founder_id = periods.founder_id
        and steps.account_type = periods.account_type
        and periods.from_at <= steps.from_at
        and periods.until_at > steps.from_at
    where steps.until_at is not null
    group by
        steps.founder_id,
        steps.account_type,
        steps.from_at,
        steps.until_at
)

select
    folded.identity_id,
    spans.account_type,
    spans.account_id,
    spans.from_at,
    spans.until_at,
from spans
inner join folded_identities as folded
    on spans.founder_id = folded.founder_id
