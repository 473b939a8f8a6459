-- Purpose: the pairs of a batch that were seen before. Reads `names`: the place of a pair, and the public id of the person that
-- its first incarnation founds, which is a hash of the pair.
-- Grain: one row per known pair.
select
    names.place,
    identities.identity_id as pair_id,
from names
inner join store.identities as identities
    on names.own_person_id = identities.own_person_id
