-- Purpose: note accounts that begin or end to count for another, from the first day of any of their members on.
-- Grain: one row per account. Reads `moved_accounts`.
-- Parameters: timezone (text).
insert into store.touched_accounts by name
with first_days as (
    select cast((min(members.first_seen_at) at time zone 'UTC') at time zone $timezone as date) as from_date,
    from store.account_evidence as evidence
    semi join moved_accounts
        on evidence.account_type = moved_accounts.account_type
        and evidence.account_id = moved_accounts.account_id
    inner join store.identity_persons as identities
        on evidence.identity_id = identities.identity_id
    inner join store.known_identities as members
        on identities.founder_id = members.founder_id
)

select
    moved_accounts.account_id,
    first_days.from_date,
from moved_accounts
cross join first_days
where
    moved_accounts.account_type = 'account'
    and first_days.from_date is not null
