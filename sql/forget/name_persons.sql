-- Purpose: name persons after the own id of their founder, where that has changed.
-- Grain: one updated row per identity whose person is named anew.
update store.identity_persons
set person_id = named.own_person_id
from (
    select
        members.identity_id,
        founders.own_person_id,
    from store.identity_persons as members
    inner join store.identities as founders
        on members.founder_id = founders.identity_id
    where members.person_id <> founders.own_person_id
) as named
where identity_persons.identity_id = named.identity_id
