-- Purpose: what is known of the pairs of a batch: the live identity, the number of the next incarnation, and the live
-- identity of the pair with the same value under `twin_key`. Reads `pairs`.
-- Grain: one row per pair that was ever seen, or whose twin was; the ids are null where every incarnation is unbound.
with own as (
    select
        pairs.pair,
        max(known.identity_id) filter (where known.unbound_order is null) as identity_id,
        max(known.incarnation) + 1 as next_incarnation,
    from pairs
    inner join store.identities as known
        on pairs.identity_key = known.identity_key
        and pairs.identity_value = known.identity_value
    group by pairs.pair
),

twins as (
    select
        pairs.pair,
        max(known.identity_id) as twin_id,
    from pairs
    inner join store.identities as known
        on pairs.twin_key = known.identity_key
        and pairs.identity_value = known.identity_value
    where known.unbound_order is null
    group by pairs.pair
)

select
    coalesce(own.pair, twins.pair) as pair,
    own.identity_id,
    coalesce(own.next_incarnation, 0) as next_incarnation,
    twins.twin_id,
from own
full outer join twins
    on own.pair = twins.pair
