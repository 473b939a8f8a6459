-- Purpose: events that belong to another person in the imagined world. Reads `stored_events`, which are as they are without it.
-- Grain: one row per person before and after.
select
    cast(stored_events.person_id as varchar) as person_before,
    cast(events.person_id as varchar) as person_after,
    count(*) as event_count,
from stored_events
inner join events
    on stored_events.log_order = events.log_order
where stored_events.person_id <> events.person_id
group by
    stored_events.person_id,
    events.person_id
order by
    person_before,
    person_after
