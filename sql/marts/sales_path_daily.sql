-- Purpose: how many persons and accounts entered each stage of the sales path for the first time, by day.
-- Grain: one row per event_date (project time zone), subject kind and stage.
with entries as (
    select
        'person' as subject_kind,
        cast(person_id as varchar) as subject_id,
        stage_index,
        stage_name,
        event_date,
    from stage_events
    union all
    select
        'account' as subject_kind,
        account_id as subject_id,
        stage_index,
        stage_name,
        event_date,
    from stage_events
    where account_id is not null
),

first_entries as (
    select
        subject_kind,
        subject_id,
        stage_index,
        stage_name,
        min(event_date) as event_date,
    from entries
    group by
        subject_kind,
        subject_id,
        stage_index,
        stage_name
)

select
    event_date,
    subject_kind,
    stage_index,
    stage_name,
    count(*) as entered_count,
from first_entries
group by
    event_date,
    subject_kind,
    stage_index,
    stage_name
