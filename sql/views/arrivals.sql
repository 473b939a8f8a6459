-- Purpose: the account of everything that arrived: messages = events + calls + duplicates + rejects.
-- Grain: one row per protocol, record type, outcome ('event', 'call', 'duplicate', 'rejected') and reason.
create or replace view arrivals as
select
    protocol,
    record_type,
    outcome,
    reason,
    cast(sum(message_count) as ubigint) as message_count,
from store.arrivals
group by
    protocol,
    record_type,
    outcome,
    reason
