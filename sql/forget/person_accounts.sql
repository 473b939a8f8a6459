-- Purpose: the accounts of a person, and since when.
-- Grain: one row per account.
-- Parameters: person_id (text).
select
    memberships.account_id,
    min(memberships.joined_at) as joined_at,
from store.memberships as memberships
inner join store.identities as identities
    on memberships.identity_id = identities.identity_id
where identities.person_id = cast($person_id as uuid)
group by memberships.account_id
order by
    joined_at,
    memberships.account_id
