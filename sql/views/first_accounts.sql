-- Purpose: the account that a person joined first; it stands for the person's events that name no account.
-- Grain: one row per person with a membership.
create or replace view first_accounts as
select
    identities.person_id,
    arg_min(memberships.account_id, (memberships.joined_at, memberships.account_id)) as account_id,
from store.memberships as memberships
inner join store.identities as identities
    on memberships.identity_id = identities.identity_id
group by identities.person_id
