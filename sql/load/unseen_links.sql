-- Purpose: the pairs of identities in a batch that no earlier message has linked.
-- Grain: one row per pair. Reads `candidates`.
select
    candidates.left_identity_id,
    candidates.right_identity_id,
    candidates.link_kind,
    candidates."row",
from candidates
anti join store.links as links
    on candidates.left_identity_id = links.left_identity_id
    and candidates.right_identity_id = links.right_identity_id
order by
    candidates."row",
    candidates.left_identity_id,
    candidates.right_identity_id
