-- Purpose: the evidence that identities are one person, and what became of it.
-- Grain: one row per pair of identities ever linked, with its first evidence. The left one is the one that was seen first.
-- outcome: merged (two known persons became one), joined (one side was new), confirmed (already one person),
-- refused (it would give a person two values of a single-valued key), retracted (an operator took it back).
create or replace view identity_links as
with ordered_links as (
    select
        links.*,
        case when ones.log_order <= others.log_order then ones.identity_id else others.identity_id end as first_id,
        case when ones.log_order <= others.log_order then others.identity_id else ones.identity_id end as second_id,
    from store.links as links
    inner join store.identities as ones
        on links.left_identity_id = ones.identity_id
    inner join store.identities as others
        on links.right_identity_id = others.identity_id
)

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
from ordered_links as links
inner join store.identities as lefts
    on links.first_id = lefts.identity_id
inner join store.identities as rights
    on links.second_id = rights.identity_id
