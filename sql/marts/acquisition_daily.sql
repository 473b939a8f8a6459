-- Purpose: how many persons were seen for the first time, by day and channel.
-- Grain: one row per event_date (project time zone) and channel: the first one that the person's first day names.
with first_days as (
    select
        person_id,
        min(event_date) as event_date,
    from events
    group by person_id
),

first_channels as (
    select
        events.person_id,
        events.event_date,
        arg_min(events.channel, (events.event_at, events.event_id)) filter (where events.channel is not null) as channel,
    from events
    inner join first_days
        on events.person_id = first_days.person_id
        and events.event_date = first_days.event_date
    group by
        events.person_id,
        events.event_date
)

select
    event_date,
    coalesce(channel, 'unknown') as channel,
    count(*) as person_count,
from first_channels
group by
    event_date,
    coalesce(channel, 'unknown')
