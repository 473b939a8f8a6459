-- Purpose: write what became of each link after the ledger was folded anew. Reads `outcomes`.
-- Grain: one updated row per link whose outcome changed.
update store.links
set outcome = outcomes.outcome,
from outcomes
where
    links.left_identity_id = outcomes.left_identity_id
    and links.right_identity_id = outcomes.right_identity_id
    and links.outcome <> outcomes.outcome
