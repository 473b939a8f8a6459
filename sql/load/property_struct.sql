-- Purpose: the type of the struct that holds the event properties, as DuckDB writes it.
-- Grain: one row.
select data_type
from duckdb_columns()
where
    schema_name = 'store'
    and table_name = 'events'
    and column_name = 'properties'
