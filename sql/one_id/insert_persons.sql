-- Purpose: write whose identities are. Reads `persons_now`: the founder of each. A person is named after its founder's own id.
-- Grain: one row per identity in `persons_now`.
insert into store.identity_persons by name
select
    persons_now.identity_id,
    persons_now.identity_key,
    persons_now.founder_id,
    owners.own_person_id as person_id,
from persons_now
inner join store.identities as owners
    on persons_now.founder_id = owners.identity_id
