-- Purpose: links in another world. Reads `world_old` (identities folded anew) and `world_folded_links`.
-- Grain: one row per pair of identities and whether it was refused.
-- Parameters: known_order (text, place in the log).
select links.*
from store.links as links
anti join world_old as old
    on links.left_identity_id = old.identity_id
where links.log_order < $known_order
union all by name
select *
from world_folded_links
