-- Purpose: make room for evidence that was computed as a whole. Reads `new_evidence`.
-- Grain: one deleted row per identity, account and evidence of the kind 'named'.
delete from store.account_evidence as evidence
using (select distinct identity_id, account_type, account_id from new_evidence where kind = 'named') as changed
where
    evidence.kind = 'named'
    and evidence.identity_id = changed.identity_id
    and evidence.account_type = changed.account_type
    and evidence.account_id = changed.account_id
