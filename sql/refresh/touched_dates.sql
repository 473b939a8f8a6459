-- Purpose: the days on which some mart may have changed since the last refresh.
-- Grain: one row per event_date. A touched person or account changes the day of the touch, and every later day on which it
-- has events: what was first then may not be first any more.
with touched_persons as (
    select
        identities.person_id,
        min(touched.from_date) as from_date,
    from store.touched_identities as touched
    inner join store.identity_persons as identities
        on touched.identity_id = identities.identity_id
    group by identities.person_id
),

touched_account_dates as (
    select
        account_id,
        from_date,
    from store.touched_accounts
    union all
    select
        memberships.account_id,
        touched_persons.from_date,
    from touched_persons
    inner join memberships
        on touched_persons.person_id = memberships.person_id
        and memberships.account_type = 'account'
),

touched_accounts as (
    select
        coalesce(merged.into_id, touched_account_dates.account_id) as account_id,
        min(touched_account_dates.from_date) as from_date,
    from touched_account_dates
    left join store.merged_accounts as merged
        on touched_account_dates.account_id = merged.account_id
        and merged.account_type = 'account'
    group by coalesce(merged.into_id, touched_account_dates.account_id)
)

select events.event_date
from events
inner join touched_persons
    on events.person_id = touched_persons.person_id
    and events.event_date >= touched_persons.from_date
union
select events.event_date
from events
inner join touched_accounts
    on events.account_id = touched_accounts.account_id
    and events.event_date >= touched_accounts.from_date
