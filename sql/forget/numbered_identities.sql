-- Purpose: identities with their number among the incarnations of their pair that are stored.
-- Grain: one row per identity of the pairs that the wanted ones are of.
-- Parameters: identity_ids (list of integers; null: all).
select
    identity_id,
    identity_key,
    identity_value,
    row_number() over (partition by pair_id order by incarnation) - 1 as number,
    log_order,
from store.identities
where
    $identity_ids is null
    or pair_id in (
        select pair_id
        from store.identities
        where list_contains($identity_ids, identity_id)
    )
