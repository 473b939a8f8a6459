-- Purpose: note which persons a batch of events touched, and from which local day on. Reads `messages` and `accepted`.
-- Grain: one row per identity.
-- Parameters: timezone (text).
insert into store.touched_identities by name
select
    accepted.identity_id,
    min(cast((messages.message_at at time zone 'UTC') at time zone $timezone as date)) as from_date,
from messages
inner join accepted
    on messages."row" = accepted."row"
where messages.event_name is not null
group by accepted.identity_id
