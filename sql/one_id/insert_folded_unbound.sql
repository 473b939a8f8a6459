-- Purpose: write which of the identities that were folded anew are free. Reads `folded_identities`.
-- Grain: one row per free identity.
insert into store.unbound_identities by name
select
    identity_id,
    unbound_order,
    unbound_because,
from folded_identities
where unbound_order is not null
