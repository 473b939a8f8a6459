-- Purpose: the links of a batch that say something new: a pair of identities never tried, or accepted after it was refused.
-- Reads `candidates`.
-- Grain: one row per pair of identities and whether it was refused.
with tried as (
    -- Found by one column first: three at once cost several times as much.
    select
        left_identity_id,
        right_identity_id,
        outcome = 'refused' as is_refused,
    from store.links
    where left_identity_id in (select left_identity_id from candidates)
)

select candidates.candidate
from candidates
anti join tried
    on candidates.left_identity_id = tried.left_identity_id
    and candidates.right_identity_id = tried.right_identity_id
    and candidates.is_refused = tried.is_refused
order by candidates.candidate
