-- Purpose: what changes of an identity stands apart from what never does, so that a batch writes what it touches and nothing else: an
-- UPDATE of scattered rows makes DuckDB write the whole column again (ADR 0012).
-- Grain: said at each table. Columns move from `identities`; nothing is taken from the log again.

-- One row per identity: whose it is. Rows are replaced, never updated. The key stands here, too, so that events find both in one table.
create table store.identity_persons (
    identity_id uinteger not null,
    identity_key varchar not null,
    founder_id uinteger not null,
    person_id uuid not null,
);

insert into store.identity_persons
select
    identity_id,
    identity_key,
    founder_id,
    person_id,
from store.identities
order by identity_id;

-- One row per identity that was freed, by which message, and why.
create table store.unbound_identities (
    identity_id uinteger not null,
    unbound_order varchar not null,
    unbound_because varchar not null,
);

insert into store.unbound_identities
select
    identity_id,
    unbound_order,
    unbound_because,
from store.identities
where unbound_order is not null
order by identity_id;

-- One row per load and identity that was known before it: when its messages saw it. Now and then these widen the two columns
-- of `identities` and go; until then, both count.
create table store.later_sightings (
    identity_id uinteger not null,
    first_seen_at timestamp not null,
    last_seen_at timestamp not null,
);

alter table store.identities drop column founder_id;
alter table store.identities drop column person_id;
alter table store.identities drop column unbound_order;
alter table store.identities drop column unbound_because;

-- All that is known of an identity, a row each.
create view store.known_identities as
with later as (
    select
        identity_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
    from store.later_sightings
    group by identity_id
)

select
    identities.* exclude (first_seen_at, last_seen_at),
    persons.founder_id,
    persons.person_id,
    unbound.unbound_order,
    unbound.unbound_because,
    least(identities.first_seen_at, later.first_seen_at) as first_seen_at,
    greatest(identities.last_seen_at, later.last_seen_at) as last_seen_at,
from store.identities as identities
inner join store.identity_persons as persons
    on identities.identity_id = persons.identity_id
left join store.unbound_identities as unbound
    on identities.identity_id = unbound.identity_id
left join later
    on identities.identity_id = later.identity_id;
