-- Purpose: write the identities that a batch brought. Reads `new_identities` and `seen_identities`.
-- Grain: one row per new identity.
insert into store.identities by name
select
    new_identities.*,
    seen.first_seen_at,
    seen.last_seen_at,
    seen.log_order,
from new_identities
inner join seen_identities as seen
    on new_identities.identity_id = seen.identity_id
