-- Purpose: the pairs that links of any outcome connect with those found so far. Reads `component`.
-- Grain: one row per pair that is not in `component` yet.
with neighbours as (
    select
        lefts.pair_id as one,
        rights.pair_id as other,
    from store.links as links
    inner join store.identities as lefts
        on links.left_identity_id = lefts.identity_id
    inner join store.identities as rights
        on links.right_identity_id = rights.identity_id
),

reached as (
    select neighbours.other as pair_id
    from neighbours
    semi join component
        on neighbours.one = component.pair_id
    union
    select neighbours.one as pair_id
    from neighbours
    semi join component
        on neighbours.other = component.pair_id
)

select reached.pair_id
from reached
anti join component
    on reached.pair_id = component.pair_id
