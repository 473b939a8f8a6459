-- Purpose: all identities as the graph needs them, incarnations counted among those that are stored. The place lacks the first bytes
-- of the pair's hash.
-- Grain: one row per identity, by growing id.
with reborn_pairs as (
    select distinct pair_id
    from store.identities
    where identity_id <> pair_id
),

-- Most pairs have one incarnation: only the others are worth sorting.
numbered as (
    select
        identities.identity_id,
        row_number() over (partition by identities.pair_id order by identities.incarnation) - 1 as incarnation,
    from store.identities as identities
    semi join reborn_pairs
        on identities.pair_id = reborn_pairs.pair_id
)

select
    identities.identity_id,
    identities.pair_id,
    coalesce(numbered.incarnation, 0) as incarnation,
    identities.identity_key,
    persons.founder_id,
    cast(split_part(identities.log_order, '/', 1) as bigint) as arrived_us,
    (cast(split_part(identities.log_order, '/', 5) as bigint) << 44)
    | (cast(split_part(identities.log_order, '/', 6) as bigint) << 32) as place,
    cast(identities.pair_hash as blob) as pair_hash,
    unbound.identity_id is null as is_live,
from store.identities as identities
inner join store.identity_persons as persons
    on identities.identity_id = persons.identity_id
left join store.unbound_identities as unbound
    on identities.identity_id = unbound.identity_id
left join numbered
    on identities.identity_id = numbered.identity_id
order by identities.identity_id
