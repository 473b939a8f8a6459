-- Purpose: write whose the identities are that were folded anew. Reads `folded_identities`.
-- Grain: one row per identity.
insert into store.identity_persons by name
select
    identity_id,
    identity_key,
    founder_id,
    person_id,
from folded_identities
