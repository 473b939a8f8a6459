-- Purpose: the links of a batch that say something new: a pair of identities never tried, or accepted after it was refused.
-- Reads `candidates`.
-- Grain: one row per pair of identities and whether it was refused.
select candidates.candidate
from candidates
anti join store.links as links
    on candidates.left_identity_id = links.left_identity_id
    and candidates.right_identity_id = links.right_identity_id
    and candidates.is_refused = (links.outcome = 'refused')
order by candidates.candidate
