-- Purpose: free the identities that a batch unbound. Reads `released` and `messages`.
-- Grain: one row per identity. From this place in the log on, the pair is a new incarnation when it comes again.
insert into store.unbound_identities by name
select
    released.identity_id,
    messages.log_order as unbound_order,
    released.cause as unbound_because,
from released
inner join messages
    on released."row" = messages."row"
