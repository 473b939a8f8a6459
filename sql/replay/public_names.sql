-- Purpose: the public views and the marts.
-- Grain: one row per view or mart.
select table_name
from information_schema.tables
where
    table_schema = 'main'
    and table_catalog = current_database()
    and table_name <> 'schema_migrations'
order by table_name
