-- Purpose: which identities came to another person, with the message that did it. Reads `new_moves` and `messages`.
-- Grain: one row per identity and message; of several moves by one message, the last.
select
    new_moves.identity_id,
    new_moves.founder_id,
    messages.message_at as moved_at,
    messages.log_order,
from new_moves
inner join messages
    on new_moves."row" = messages."row"
