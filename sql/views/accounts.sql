-- Purpose: the accounts (schools, classes, families) that messages and operators have named. Properties come from group calls.
-- Grain: one row per account, merged ones too: those have merged_into, and all that they came to counts for that account.
-- name: as an operator says, else the property `name`. person_count: members whose membership has no end. properties is a JSON object of
-- the values now.
create or replace view accounts as
with messages as (
    select
        account_id,
        accounts,
        event_at as seen_at,
    from store.events
    where account_id is not null or accounts is not null
    union all
    select
        account_id,
        accounts,
        called_at as seen_at,
    from store.calls
    where account_id is not null or accounts is not null
),

entries as (
    select
        unnest(map_entries(accounts)) as entry,
        seen_at,
    from messages
    where accounts is not null
),

sightings as (
    select
        'account' as account_type,
        account_id,
        seen_at,
    from messages
    where account_id is not null
    union all
    select
        entry.key as account_type,
        unnest(entry.value) as account_id,
        seen_at,
    from entries
    union all
    select
        account_type,
        account_id,
        null as seen_at,
    from store.account_evidence
    where is_act
    union all
    select
        account_type,
        into_id as account_id,
        null as seen_at,
    from store.merged_accounts
),

seen_accounts as (
    select
        sightings.account_type,
        sightings.account_id,
        any_value(merged.into_id) as merged_into,
        min(sightings.seen_at) as first_seen_at,
        max(sightings.seen_at) as last_seen_at,
    from sightings
    left join store.merged_accounts as merged
        on sightings.account_type = merged.account_type
        and sightings.account_id = merged.account_id
    group by
        sightings.account_type,
        sightings.account_id
),

merged_sightings as (
    select
        account_type,
        merged_into as account_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
    from seen_accounts
    where merged_into is not null
    group by
        account_type,
        merged_into
),

members as (
    select
        account_type,
        account_id,
        count(distinct founder_id) as person_count,
    from store.memberships
    where left_at is null
    group by
        account_type,
        account_id
),

properties_of_accounts as (
    select
        target,
        account_id,
        cast(to_json(map_from_entries(list((property_name, value) order by property_name))) as varchar) as properties,
        any_value(value ->> '$') filter (where property_name = 'name') as name,
    from property_values
    where target <> 'person'
    group by
        target,
        account_id
),

given_names as (
    select
        details ->> '$.account_type' as account_type,
        details ->> '$.account_id' as account_id,
        nullif(arg_max(details ->> '$.name', log_order), '') as name,
    from store.acts
    where act = 'rename_account'
    group by
        details ->> '$.account_type',
        details ->> '$.account_id'
)

select
    seen_accounts.account_type,
    seen_accounts.account_id,
    coalesce(given_names.name, properties_of_accounts.name) as name,
    least(seen_accounts.first_seen_at, merged_sightings.first_seen_at) as first_seen_at,
    greatest(seen_accounts.last_seen_at, merged_sightings.last_seen_at) as last_seen_at,
    coalesce(members.person_count, 0) as person_count,
    seen_accounts.merged_into,
    properties_of_accounts.properties,
from seen_accounts
left join merged_sightings
    on seen_accounts.account_type = merged_sightings.account_type
    and seen_accounts.account_id = merged_sightings.account_id
left join members
    on seen_accounts.account_type = members.account_type
    and seen_accounts.account_id = members.account_id
left join properties_of_accounts
    on seen_accounts.account_type = properties_of_accounts.target
    and seen_accounts.account_id = properties_of_accounts.account_id
left join given_names
    on seen_accounts.account_type = given_names.account_type
    and seen_accounts.account_id = given_names.account_id
