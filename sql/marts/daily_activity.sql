-- Purpose: how much happened each day, by source.
-- Grain: one row per event_date (project time zone) and source.
select
    event_date,
    coalesce(source, 'unknown') as source,
    count(*) as event_count,
    count(distinct person_id) as person_count,
    count(distinct account_id) as account_count,
from events
group by
    event_date,
    coalesce(source, 'unknown')
