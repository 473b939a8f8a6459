-- Purpose: what the warehouse holds of a person.
-- Grain: one row.
-- Parameters: person_id (text).
with identity_ids as (
    select identity_id
    from store.identity_persons
    where person_id = cast($person_id as uuid)
)

select
    (select count(*) from identity_ids) as identities,
    (select count(*) from store.events where identity_id in (from identity_ids)) as events,
    (select count(*) from store.calls where identity_id in (from identity_ids)) as calls
