-- Purpose: the properties of events that have a column in `properties`, and the values that did not fit one, however
-- their names were spelled.
-- Grain: one row per property.
create or replace view event_properties as
with misfits as (
    select
        lower(name) as lower_name,
        sum(value_count) as misfit_count,
    from store.misfits
    group by lower_name
)

select
    property_columns.name as property_name,
    property_columns.type as property_type,
    cast(coalesce(misfits.misfit_count, 0) as ubigint) as misfit_count,
from store.property_columns as property_columns
left join misfits
    on lower(property_columns.name) = misfits.lower_name
