"""Tables: load the log into one DuckDB file per project, join identities into persons, keep marts fresh.

Promises: loading is idempotent; everything can be rebuilt from the log; identity is a function of the links seen.
Touches the DuckDB file, the log (read) and `sql/`; knows nothing of HTTP.
"""
