-- Purpose: the pairs of a batch that were seen before. Reads `names`: the place of a pair, and its hash.
-- Grain: one row per known pair.
select
    names.place,
    identities.identity_id as pair_id,
from names
inner join store.identities as identities
    on names.pair_hash = identities.pair_hash
where identities.identity_id = identities.pair_id
