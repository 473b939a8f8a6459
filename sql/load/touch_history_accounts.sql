-- Purpose: note the accounts of persons whose identities or accounts changed, from the first day of any of them on: what one
-- person loses in a split, such as an account, touches days before the other's first. Reads `member_histories`.
-- Grain: one row per account.
-- Parameters: timezone (text).
insert into store.touched_accounts by name
select
    evidence.account_id,
    cast(((select min(first_seen_at) from member_histories) at time zone 'UTC') at time zone $timezone as date) as from_date,
from store.account_evidence as evidence
semi join member_histories
    on evidence.identity_id = member_histories.identity_id
where evidence.account_type = 'account'
group by evidence.account_id
