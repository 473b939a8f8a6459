-- Purpose: every identity that was unbound, in canonical order.
-- Grain: one row per unbound identity.
select
    identity_id,
    unbound_order,
from store.identities
where unbound_order is not null
order by
    unbound_order,
    identity_id
