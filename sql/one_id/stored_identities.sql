-- Purpose: all identities as the graph needs them: numbers only. `digest` are 32 bits of the hash of the pair.
-- Grain: one row per identity, by growing id.
select
    identities.identity_id,
    identities.pair_id,
    identities.incarnation,
    identities.identity_key,
    identities.founder_id,
    cast(split_part(identities.log_order, '/', 1) as bigint) as arrived_us,
    (cast(split_part(identities.log_order, '/', 5) as bigint) << 44)
    | (cast(split_part(identities.log_order, '/', 6) as bigint) << 32)
    | cast('0x' || left(cast(pairs.own_person_id as varchar), 8) as bigint) as place,
    identities.unbound_order is null as is_live,
from store.identities as identities
inner join store.identities as pairs
    on identities.pair_id = pairs.identity_id
order by identities.identity_id
