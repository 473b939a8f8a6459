-- Purpose: write identities that were folded anew. Reads `folded_identities`.
-- Grain: one row per identity.
insert into store.identities by name
select * exclude (founder_id, person_id, unbound_order, unbound_because)
from folded_identities
