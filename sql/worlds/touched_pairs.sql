-- Purpose: the pairs that were other persons' in another world: by links and unbinds that it does not know, or that have not happened in it.
-- Grain: one row per pair.
-- Parameters: known_order (text, place in the log), happened_at (text, UTC timestamp).
select identities.pair_id
from store.identities as identities
semi join (
    from store.links
    where
        outcome not in ('refused', 'confirmed')
        and (log_order >= $known_order or linked_at >= cast($happened_at as timestamp))
) as links
    on identities.identity_id = links.left_identity_id
where identities.log_order < $known_order
union
select identities.pair_id
from store.identities as identities
inner join store.unbound_identities as unbound
    on identities.identity_id = unbound.identity_id
where
    unbound.unbound_order >= $known_order
    or cast($happened_at as timestamp) < timestamp 'infinity'
