-- Purpose: accounts have types, and members for a time.
-- Grain: said at each table; columns of events and calls.

-- Accounts beside account_id: type to ids, those that the message belongs to first. `is_leave`: its person leaves them all.
alter table store.events add column accounts map(varchar, varchar[]);
alter table store.calls add column accounts map(varchar, varchar[]);
alter table store.calls add column is_leave boolean default false;

-- One row per identity, account and piece of evidence. `kind`: 'named' (a message put them together earlier than all that came before
-- it), 'joined' (an explicit joining) or 'left'; `is_act` where an operator said so.
create table store.account_evidence (
    identity_id uinteger not null,
    account_type varchar not null,
    account_id varchar not null,
    kind varchar not null,
    happened_at timestamp not null,
    log_order varchar not null,
    is_act boolean not null,
);

insert into store.account_evidence
with sightings as (
    select
        identity_id,
        account_id,
        event_at as happened_at,
        log_order,
    from store.events
    where account_id is not null
    union all
    select
        identity_id,
        account_id,
        called_at as happened_at,
        log_order,
    from store.calls
    where
        account_id is not null
        and identity_id is not null
)

select
    identity_id,
    'account' as account_type,
    account_id,
    'named' as kind,
    happened_at,
    log_order,
    false as is_act,
from sightings
qualify
    happened_at < coalesce(
        min(happened_at) over (
            partition by identity_id, account_id
            order by log_order
            rows between unbounded preceding and 1 preceding
        ),
        timestamp 'infinity'
    );

insert into store.account_evidence
select
    identity_id,
    'account' as account_type,
    account_id,
    'joined' as kind,
    called_at as happened_at,
    log_order,
    false as is_act,
from store.calls
where
    record_type = 'group'
    and account_id is not null
    and identity_id is not null;

drop table store.memberships;

-- One row per person (by the identity that founded it), account and period in which it is a member; merged accounts under the one they
-- count for. The orders are those of the evidence.
create table store.memberships (
    founder_id uinteger not null,
    account_type varchar not null,
    account_id varchar not null,
    joined_at timestamp not null,
    joined_order varchar not null,
    left_at timestamp,
    left_order varchar,
);

insert into store.memberships
select
    identities.founder_id,
    evidence.account_type,
    evidence.account_id,
    min(evidence.happened_at) as joined_at,
    arg_min(evidence.log_order, (evidence.happened_at, evidence.log_order)) as joined_order,
    null as left_at,
    null as left_order,
from store.account_evidence as evidence
inner join store.identities as identities
    on evidence.identity_id = identities.identity_id
group by
    identities.founder_id,
    evidence.account_type,
    evidence.account_id;

-- One row per identity, account type and span [from_at, until_at) in which one account stands for events that name none of that type.
create table store.account_spans (
    identity_id uinteger not null,
    account_type varchar not null,
    account_id varchar not null,
    from_at timestamp not null,
    until_at timestamp not null,
);

insert into store.account_spans
select
    identities.identity_id,
    memberships.account_type,
    arg_min(memberships.account_id, (memberships.joined_at, memberships.account_id)) as account_id,
    timestamp '-infinity' as from_at,
    timestamp 'infinity' as until_at,
from store.memberships as memberships
inner join store.identities as identities
    on memberships.founder_id = identities.founder_id
group by
    identities.identity_id,
    memberships.account_type;

-- One row per account that counts for another, which itself counts for no other.
create table store.merged_accounts (
    account_type varchar not null,
    account_id varchar not null,
    into_id varchar not null,
);
