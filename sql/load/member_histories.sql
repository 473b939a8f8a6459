-- Purpose: all identities of the persons that have an identity of `changed_identities`, with when they were first seen.
-- Grain: one row per identity, and one more for each load that saw it since `identities` was widened.
with members as (
    select
        identity_id,
        founder_id,
    from store.identity_persons
    where founder_id in (
        select persons.founder_id
        from store.identity_persons as persons
        semi join changed_identities
            on persons.identity_id = changed_identities.identity_id
    )
)

select
    members.identity_id,
    members.founder_id,
    identities.first_seen_at,
from members
inner join store.identities as identities
    on members.identity_id = identities.identity_id
union all
select
    members.identity_id,
    members.founder_id,
    sightings.first_seen_at,
from members
inner join store.later_sightings as sightings
    on members.identity_id = sightings.identity_id
