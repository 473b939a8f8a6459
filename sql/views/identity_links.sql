-- Purpose: the evidence that identities are one person, and what became of it.
-- Grain: one row per pair of identities ever linked, with its first evidence.
-- outcome: merged (two known persons became one), joined (one side was new), confirmed (already one person),
-- refused (it would give a person two values of a single-valued key), retracted (an operator took it back).
create or replace view identity_links as
select
    lefts.identity_key as left_identity_key,
    lefts.identity_value as left_identity_value,
    rights.identity_key as right_identity_key,
    rights.identity_value as right_identity_value,
    links.link_kind,
    links.linked_at,
    links.outcome,
    rights.person_id,
    links.protocol,
    links.record_type,
    links.log_order,
from store.links as links
inner join store.identities as lefts
    on links.left_identity_id = lefts.identity_id
inner join store.identities as rights
    on links.right_identity_id = rights.identity_id
