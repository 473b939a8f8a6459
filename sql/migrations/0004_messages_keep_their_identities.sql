-- Purpose: messages keep all identities that they carried, so that persons can be folded from them again (ADR 0012).
-- Grain: columns of events, calls, identities and links; a table of moves. What earlier versions loaded lacks them, so
-- everything is taken from the log again.

-- Pairs by the id of their first incarnation, in the order of their priority; null where the message carried one only.
alter table store.events add column other_pair_ids uinteger[];
alter table store.calls add column other_pair_ids uinteger[];
alter table store.events add column is_unbind boolean default false;
alter table store.calls add column is_unbind boolean default false;

-- The id of the pair's first incarnation, and a keyed hash of the pair to find it by; why a free identity was freed.
alter table store.identities add column pair_id uinteger;
alter table store.identities add column pair_hash uuid;
alter table store.identities add column unbound_because varchar;

-- A refused link says which rule refused it, and for which key.
alter table store.links add column reason varchar;
alter table store.links add column identity_key varchar;

-- One row per identity and message by which it came to another person than before.
create table store.identity_moves (
    identity_id uinteger not null,
    founder_id uinteger not null,
    moved_at timestamp not null,
    log_order varchar not null,
);

delete from store.watermark;
delete from store.identities;
delete from store.links;
delete from store.memberships;
delete from store.events;
delete from store.calls;
delete from store.rejects;
delete from store.acts;
delete from store.arrivals;
delete from store.keyed_messages;
delete from store.recent_contents;
delete from store.misfits;
delete from store.plan_violations;
delete from store.touched_identities;
delete from store.touched_accounts;
