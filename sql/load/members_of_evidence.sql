-- Purpose: the identities whose memberships new evidence may change. Reads `new_evidence`.
-- Grain: one row per identity. A member who joins again changes something only where somebody has left.
select distinct identity_id
from new_evidence
where
    kind <> 'joined'
    or exists (
        select 1
        from store.account_evidence as evidence
        where evidence.kind = 'left'
    )
