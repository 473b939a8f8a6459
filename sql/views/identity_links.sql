-- Purpose: the evidence that identities are one person, and what became of it.
-- Grain: one row per pair of identities ever linked, with its first evidence, and one more where it was refused before it was
-- accepted. The left one is the one that was seen first.
-- link_id: 12 hex digits that name the two identities, the same on every replay; not of any order.
-- outcome: merged (two known persons became one), joined (one side was new), confirmed (already one person), refused (by the
-- rules), retracted (an operator took it back), blocked (an operator says that one of the values is nobody's own).
-- reason: why it was refused, for which identity_key: single_value (a person has one), over_limit (a person has no more than its
-- limit), both_known (the rules keep known persons apart), no_association (such a message does not link).
-- left_person_id and person_id are the persons of the left and the right one now; one and the same where the link counts.
create or replace view identity_links as
with named_links as (
    select
        links.*,
        ones.log_order <= others.log_order as is_in_order,
        {'key': ones.identity_key, 'value': ones.identity_value, 'incarnation': ones.incarnation} as one,
        {'key': others.identity_key, 'value': others.identity_value, 'incarnation': others.incarnation} as other,
        one_persons.person_id as one_person_id,
        other_persons.person_id as other_person_id,
    from store.links as links
    inner join store.identities as ones
        on links.left_identity_id = ones.identity_id
    inner join store.identities as others
        on links.right_identity_id = others.identity_id
    inner join store.identity_persons as one_persons
        on links.left_identity_id = one_persons.identity_id
    inner join store.identity_persons as other_persons
        on links.right_identity_id = other_persons.identity_id
)

select
    left(sha256(cast(to_json([least(one, other), greatest(one, other)]) as varchar)), 12) as link_id,
    if(is_in_order, one.key, other.key) as left_identity_key,
    if(is_in_order, one.value, other.value) as left_identity_value,
    if(is_in_order, other.key, one.key) as right_identity_key,
    if(is_in_order, other.value, one.value) as right_identity_value,
    if(is_in_order, one.incarnation, other.incarnation) as left_incarnation,
    if(is_in_order, other.incarnation, one.incarnation) as right_incarnation,
    link_kind,
    linked_at,
    outcome,
    reason,
    identity_key,
    if(is_in_order, one_person_id, other_person_id) as left_person_id,
    if(is_in_order, other_person_id, one_person_id) as person_id,
    protocol,
    record_type,
    log_order,
from named_links
