-- Purpose: note the accounts of events that are about to go. Reads `displaced`.
-- Grain: one row per account.
-- Parameters: timezone (text).
insert into store.touched_accounts by name
select
    events.account_id,
    min(cast((events.event_at at time zone 'UTC') at time zone $timezone as date)) as from_date,
from store.events as events
inner join displaced
    on events.log_order = displaced.log_order
where events.account_id is not null
group by events.account_id
