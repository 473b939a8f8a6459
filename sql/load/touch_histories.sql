-- Purpose: note the persons whose identities or accounts changed: their whole past is touched. Reads `member_histories`.
-- Grain: one row per person affected, by one of its identities.
-- Parameters: timezone (text).
insert into store.touched_identities by name
select
    min(identity_id) as identity_id,
    cast((min(first_seen_at) at time zone 'UTC') at time zone $timezone as date) as from_date,
from member_histories
group by founder_id
