-- Purpose: note the persons of events that are about to go. Reads `displaced`.
-- Grain: one row per identity.
-- Parameters: timezone (text).
insert into store.touched_identities by name
select
    events.identity_id,
    min(cast((events.event_at at time zone 'UTC') at time zone $timezone as date)) as from_date,
from store.events as events
inner join displaced
    on events.log_order = displaced.log_order
group by events.identity_id
