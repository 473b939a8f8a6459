-- Purpose: note the accounts of persons whose identities or accounts changed, from the first day of any of them on: what one
-- person loses in a split, such as an account, touches days before the other's first.
-- Grain: one row per account. Reads `changed_identities`.
-- Parameters: timezone (text).
insert into store.touched_accounts by name
with affected_persons as (
    select
        members.person_id,
        cast((min(members.first_seen_at) at time zone 'UTC') at time zone $timezone as date) as from_date,
    from store.identities as members
    where members.person_id in (
        select identities.person_id
        from store.identities as identities
        inner join changed_identities
            on identities.identity_id = changed_identities.identity_id
    )
    group by members.person_id
)

select
    evidence.account_id,
    (select min(from_date) from affected_persons) as from_date,
from store.account_evidence as evidence
inner join store.identities as identities
    on evidence.identity_id = identities.identity_id
inner join affected_persons
    on identities.person_id = affected_persons.person_id
where evidence.account_type = 'account'
group by evidence.account_id
