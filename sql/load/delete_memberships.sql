-- Purpose: make room for memberships that began earlier than known. Reads `changed_memberships`.
-- Grain: one deleted row per identity and account.
delete from store.memberships
using changed_memberships
where
    memberships.identity_id = changed_memberships.identity_id
    and memberships.account_id = changed_memberships.account_id
