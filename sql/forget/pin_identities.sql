-- Purpose: number the incarnations of pairs as they were numbered before an earlier holder was erased. Reads `pinned`.
-- Grain: one updated row per pinned identity.
update store.identities
set
    incarnation = pinned.incarnation,
    own_person_id = pinned.own_person_id,
from pinned
where identities.identity_id = pinned.identity_id
