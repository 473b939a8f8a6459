-- Purpose: whose identities are in another world. Reads `world_component` (pairs folded anew) and `world_folded_identities`.
-- Grain: one row per identity that was seen in it.
-- Parameters: known_order (text, place in the log: what came before it is known).
select identities.* replace (
    case when identities.unbound_order < $known_order then identities.unbound_order end as unbound_order,
    case when identities.unbound_order < $known_order then identities.unbound_because end as unbound_because
)
from store.known_identities as identities
anti join world_component as component
    on identities.pair_id = component.pair_id
where identities.log_order < $known_order
union all by name
select *
from world_folded_identities
