-- Purpose: the messages of a batch that cannot be put in their place one by one: they free an identity that is known already, or carry
-- one that was freed after them. Reads `messages` and `carried`.
-- Grain: one row per place in the log.
select distinct messages.log_order
from messages
inner join carried
    on messages."row" = carried."row"
inner join store.identities as known
    on carried.identity_key = known.identity_key
    and carried.identity_value = known.identity_value
where
    carried.is_unbind
    or known.unbound_order > messages.log_order
