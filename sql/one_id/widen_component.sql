-- Purpose: the pairs that links of any outcome connect with those found so far. Reads `component`.
-- Grain: one row per pair that is not in `component` yet.
with members as (
    select identities.identity_id
    from store.identities as identities
    semi join component
        on identities.pair_id = component.pair_id
),

reached as (
    select links.right_identity_id as identity_id
    from store.links as links
    semi join members
        on links.left_identity_id = members.identity_id
    union
    select links.left_identity_id as identity_id
    from store.links as links
    semi join members
        on links.right_identity_id = members.identity_id
)

select distinct identities.pair_id
from store.identities as identities
semi join reached
    on identities.identity_id = reached.identity_id
anti join component
    on identities.pair_id = component.pair_id
