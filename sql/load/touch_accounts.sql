-- Purpose: note which accounts a batch of events touched, and from which local day on. Reads `messages` and `accepted`.
-- Grain: one row per account.
-- Parameters: timezone (text).
insert into store.touched_accounts by name
select
    messages.account_id,
    min(cast((messages.message_at at time zone 'UTC') at time zone $timezone as date)) as from_date,
from messages
inner join accepted
    on messages."row" = accepted."row"
where
    messages.event_name is not null
    and messages.account_id is not null
group by messages.account_id
