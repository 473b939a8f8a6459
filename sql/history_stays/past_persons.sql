-- Purpose: persons that are no more, but keep the events of their time.
-- Grain: one row per person.
select
    events.person_id,
    min(events.identity_id) as founder_id,
    min(events.event_at) as first_seen_at,
    max(events.event_at) as last_seen_at,
from store.attributed_events as events
anti join store.identity_persons as identities
    on events.person_id = identities.person_id
group by events.person_id
