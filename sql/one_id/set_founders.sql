-- Purpose: write the persons of identities that changed theirs. Reads `founders`.
-- Grain: one updated row per identity in `founders`. A person is named after its founder's own id.
update store.identities
set
    founder_id = moved.founder_id,
    person_id = moved.person_id,
from (
    select
        founders.identity_id,
        founders.founder_id,
        owners.own_person_id as person_id,
    from founders
    inner join store.identities as owners
        on founders.founder_id = owners.identity_id
) as moved
where identities.identity_id = moved.identity_id
