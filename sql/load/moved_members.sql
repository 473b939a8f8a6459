-- Purpose: the persons whose memberships are not what they were. Reads `folded_identities` and `folded_memberships`.
-- Grain: one row per person, by founder.
with before as (
    select
        memberships.founder_id,
        memberships.account_type,
        memberships.account_id,
        memberships.joined_at,
        memberships.left_at,
    from store.memberships as memberships
    semi join folded_identities
        on memberships.founder_id = folded_identities.identity_id
),

now as (
    select
        founder_id,
        account_type,
        account_id,
        joined_at,
        left_at,
    from folded_memberships
)

select distinct founder_id
from (
    (from before except from now)
    union all
    (from now except from before)
)
