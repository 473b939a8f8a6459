-- Purpose: which identities came to another person, in another world. Reads `world_old` (identities folded anew) and `world_folded_moves`.
-- Grain: one row per identity and message.
-- Parameters: known_order (text, place in the log).
select moves.*
from store.identity_moves as moves
anti join world_old as old
    on moves.identity_id = old.identity_id
where moves.log_order < $known_order
union all by name
select *
from world_folded_moves
