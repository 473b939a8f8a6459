-- Purpose: every event with the person it belongs to, where history follows: the person that its identity is of now.
-- Grain: one row per event.
select
    events.*,
    identities.person_id,
    identities.identity_key,
from store.events as events
inner join store.identity_persons as identities
    on events.identity_id = identities.identity_id
