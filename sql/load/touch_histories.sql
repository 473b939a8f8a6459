-- Purpose: note the persons whose identities or accounts changed: their whole past is touched. Reads `changed_identities`.
-- Grain: one row per person affected, by one of its identities.
-- Parameters: timezone (text).
insert into store.touched_identities by name
select
    min(members.identity_id) as identity_id,
    cast((min(members.first_seen_at) at time zone 'UTC') at time zone $timezone as date) as from_date,
from store.identities as members
where members.person_id in (
    select identities.person_id
    from store.identities as identities
    inner join changed_identities
        on identities.identity_id = changed_identities.identity_id
)
group by members.person_id
