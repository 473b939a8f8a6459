-- Purpose: free the pairs that a batch unbound. Reads `unbound` and `messages`.
-- Grain: one updated row per identity. From this place in the log on, the pair is a new incarnation when it comes again.
update store.identities
set unbound_order = messages.log_order,
from unbound
inner join messages
    on unbound."row" = messages."row"
where identities.identity_id = unbound.identity_id
