-- Purpose: the accounts (schools, companies) that messages have named. Properties come from group calls.
-- Grain: one row per account; properties is a JSON object of the values now.
create or replace view accounts as
with sightings as (
    select
        account_id,
        event_at as seen_at,
    from store.events
    where account_id is not null
    union all
    select
        account_id,
        called_at as seen_at,
    from store.calls
    where account_id is not null
),

seen_accounts as (
    select
        account_id,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at,
    from sightings
    group by account_id
),

members as (
    select
        memberships.account_id,
        count(distinct identities.person_id) as person_count,
    from store.memberships as memberships
    inner join store.identities as identities
        on memberships.identity_id = identities.identity_id
    group by memberships.account_id
),

properties_of_accounts as (
    select
        target_id,
        cast(to_json(map_from_entries(list((property_name, value) order by property_name))) as varchar) as properties,
    from property_values
    where target = 'account'
    group by target_id
)

select
    seen_accounts.account_id,
    seen_accounts.first_seen_at,
    seen_accounts.last_seen_at,
    coalesce(members.person_count, 0) as person_count,
    properties_of_accounts.properties,
from seen_accounts
left join members
    on seen_accounts.account_id = members.account_id
left join properties_of_accounts
    on seen_accounts.account_id = properties_of_accounts.target_id
