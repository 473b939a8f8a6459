-- Purpose: the persons that identities have joined into. Properties come from profile and identify calls.
-- Grain: one row per person; account_id is the account it is in now, the one joined first where it is in several; properties is a JSON object of the values now.
create or replace view persons as
with members as (
    select
        person_id,
        any_value(founder_id) as founder_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        count(*) as identity_count,
    from store.known_identities
    group by person_id
    union all by name
    select
        *,
        0 as identity_count,
    from store.past_persons
),

properties_of_persons as (
    select
        person_id,
        cast(to_json(map_from_entries(list((property_name, value) order by property_name))) as varchar) as properties,
    from property_values
    where target = 'person'
    group by person_id
)

select
    members.person_id,
    members.first_seen_at,
    members.last_seen_at,
    spans.account_id,
    members.identity_count,
    properties_of_persons.properties,
from members
left join store.account_spans as spans
    on members.founder_id = spans.identity_id
    and spans.account_type = 'account'
    and spans.until_at = timestamp 'infinity'
left join properties_of_persons
    on members.person_id = properties_of_persons.person_id
