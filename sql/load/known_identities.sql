-- Purpose: what is known of the pairs of a batch: the live identity, and the highest incarnation so far.
-- Grain: one row per pair that was ever seen; identity_id is null when every incarnation is unbound. Reads `pairs`.
select
    pairs.pair,
    max(known.identity_id) filter (where known.unbound_order is null) as identity_id,
    max(known.incarnation) as incarnation,
from pairs
inner join store.identities as known
    on pairs.identity_key = known.identity_key
    and pairs.identity_value = known.identity_value
group by pairs.pair
