-- Purpose: free the identities that a batch unbound. Reads `released` and `messages`.
-- Grain: one updated row per identity. From this place in the log on, the pair is a new incarnation when it comes again.
update store.identities
set
    unbound_order = freed.log_order,
    unbound_because = freed.cause,
from (
    select
        released.identity_id,
        released.cause,
        messages.log_order,
    from released
    inner join messages
        on released."row" = messages."row"
) as freed
where identities.identity_id = freed.identity_id
