-- Purpose: which persons are in which accounts, from when to when. Merged accounts stand under the one they count for.
-- Grain: one row per person, account and period; left_at is null where it has no end. log_order and left_log_order are the places in the
-- log of the evidence: a message or an operator's act.
create or replace view memberships as
select
    identities.person_id,
    memberships.account_type,
    memberships.account_id,
    memberships.joined_at,
    memberships.left_at,
    memberships.joined_order as log_order,
    memberships.left_order as left_log_order,
from store.memberships as memberships
inner join store.identity_persons as identities
    on memberships.founder_id = identities.identity_id
