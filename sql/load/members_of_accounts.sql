-- Purpose: the identities that have evidence of some accounts. Reads `moved_accounts`.
-- Grain: one row per identity.
select distinct evidence.identity_id
from store.account_evidence as evidence
semi join moved_accounts
    on evidence.account_type = moved_accounts.account_type
    and evidence.account_id = moved_accounts.account_id
