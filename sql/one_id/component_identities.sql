-- Purpose: the stored identities of pairs that are folded anew, incarnations counted among those that are stored. Reads `component`.
-- Grain: one row per identity.
select
    identities.identity_id,
    identities.pair_id,
    row_number() over (partition by identities.pair_id order by identities.incarnation) - 1 as incarnation,
    identities.identity_key,
    identities.identity_value,
    persons.founder_id,
from store.identities as identities
inner join store.identity_persons as persons
    on identities.identity_id = persons.identity_id
semi join component
    on identities.pair_id = component.pair_id
order by
    identities.pair_id,
    identities.incarnation
