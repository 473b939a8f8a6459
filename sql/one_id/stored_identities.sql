-- Purpose: all identities as the graph needs them: numbers only, incarnations counted among those that are stored.
-- Grain: one row per identity, by growing id.
select
    identities.identity_id,
    identities.pair_id,
    row_number() over (partition by identities.pair_id order by identities.incarnation) - 1 as incarnation,
    identities.identity_key,
    identities.founder_id,
    cast(split_part(identities.log_order, '/', 1) as bigint) as arrived_us,
    (cast(split_part(identities.log_order, '/', 5) as bigint) << 44)
    | (cast(split_part(identities.log_order, '/', 6) as bigint) << 32)
    | cast('0x' || left(cast(identities.pair_hash as varchar), 8) as bigint) as place,
    identities.unbound_order is null as is_live,
from store.identities as identities
order by identities.identity_id
