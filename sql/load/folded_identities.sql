-- Purpose: all identities of the persons that have an identity of `changed_identities`.
-- Grain: one row per identity.
select
    identity_id,
    founder_id,
from store.identity_persons
where founder_id in (
    select identities.founder_id
    from store.identity_persons as identities
    semi join changed_identities
        on identities.identity_id = changed_identities.identity_id
)
