-- Purpose: every event with the person it belongs to, where history stays: the person that its identity was of when the event came.
-- Grain: one row per event.
select
    events.*,
    owners.own_person_id as person_id,
    identities.identity_key,
from store.events as events
inner join store.identities as identities
    on events.identity_id = identities.identity_id
asof left join store.identity_moves as moves
    on events.identity_id = moves.identity_id
    and events.log_order >= moves.log_order
inner join store.identities as owners
    on coalesce(moves.founder_id, events.identity_id) = owners.identity_id
