-- Purpose: the persons that identities have joined into. Properties come from profile and identify calls.
-- Grain: one row per person; properties is a JSON object of the values now.
create or replace view persons as
with members as (
    select
        person_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        count(*) as identity_count,
    from store.identities
    group by person_id
),

properties_of_persons as (
    select
        target_id,
        cast(to_json(map_from_entries(list((property_name, value) order by property_name))) as varchar) as properties,
    from property_values
    where target = 'person'
    group by target_id
)

select
    members.person_id,
    members.first_seen_at,
    members.last_seen_at,
    first_accounts.account_id,
    members.identity_count,
    properties_of_persons.properties,
from members
left join first_accounts
    on members.person_id = first_accounts.person_id
left join properties_of_persons
    on cast(members.person_id as varchar) = properties_of_persons.target_id
