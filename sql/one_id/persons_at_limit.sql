-- Purpose: persons that stopped growing, because they have as many values of a key as the rules allow: where links were refused for
-- that, the one of the two with more values. Persons that became one after all are left out.
-- Grain: one row per key and person, those with the most refused links first.
with refused as (
    select
        link_id,
        identity_key,
        linked_at,
        unnest([left_person_id, person_id]) as person_id,
    from identity_links
    where
        outcome = 'refused'
        and reason = 'over_limit'
        and left_person_id <> person_id
),

counted as (
    select
        person_id,
        identity_key,
        count(*) as value_count,
    from identities
    where not is_unbound
    group by
        person_id,
        identity_key
),

fuller as (
    select
        refused.identity_key,
        refused.person_id,
        refused.link_id,
        refused.linked_at,
        coalesce(counted.value_count, 0) as value_count,
    from refused
    left join counted
        on refused.person_id = counted.person_id
        and refused.identity_key = counted.identity_key
    qualify row_number() over (partition by refused.link_id order by value_count desc, refused.person_id) = 1
)

select
    identity_key,
    cast(person_id as varchar) as person_id,
    any_value(value_count) as value_count,
    count(distinct link_id) as refused_count,
    max(linked_at) as last_refused_at,
from fuller
group by
    identity_key,
    person_id
order by
    refused_count desc,
    identity_key,
    person_id
