-- Purpose: every identity in the order of its first sighting.
-- Grain: one row per identity.
select
    identity_id,
    identity_key,
    identity_value,
    log_order,
from store.identities
order by
    log_order,
    identity_id
