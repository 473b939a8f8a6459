-- Purpose: when identities were seen in another world, by event time. Reads `world_events`, `world_calls` and `world_persons`.
-- Grain: one row per identity that a message of it carries.
with messages as (
    select
        identity_id,
        other_pair_ids,
        event_at as message_at,
        log_order,
    from world_events
    union all
    select
        identity_id,
        other_pair_ids,
        called_at as message_at,
        log_order,
    from world_calls
    where identity_id is not null
),

carried as (
    select
        unnest(other_pair_ids) as pair_id,
        message_at,
        log_order,
    from messages
    where other_pair_ids is not null
),

-- Of several incarnations of a pair the one that was live.
sightings as (
    select
        identity_id,
        message_at,
    from messages
    union all
    select
        arg_min(persons.identity_id, persons.incarnation) as identity_id,
        carried.message_at,
    from carried
    inner join world_persons as persons
        on carried.pair_id = persons.pair_id
        and (persons.unbound_order is null or persons.unbound_order >= carried.log_order)
    group by
        carried.pair_id,
        carried.message_at,
        carried.log_order
)

select
    identity_id,
    min(message_at) as first_seen_at,
    max(message_at) as last_seen_at,
from sightings
group by identity_id
