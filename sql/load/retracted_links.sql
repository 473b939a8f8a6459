-- Purpose: the pairs of a batch that an operator has taken back before they came. Reads `candidates`.
-- Grain: one row per pair and retraction.
with retractions as (
    select
        details ->> '$.left.key' as left_key,
        details ->> '$.left.value' as left_value,
        details ->> '$.right.key' as right_key,
        details ->> '$.right.value' as right_value,
    from store.acts
    where act = 'retract_link'
)

select
    candidates.left_identity_id,
    candidates.right_identity_id,
from candidates
inner join store.identities as lefts
    on candidates.left_identity_id = lefts.identity_id
inner join store.identities as rights
    on candidates.right_identity_id = rights.identity_id
inner join retractions
    on (
        retractions.left_key = lefts.identity_key
        and retractions.left_value = lefts.identity_value
        and retractions.right_key = rights.identity_key
        and retractions.right_value = rights.identity_value
    )
    or (
        retractions.left_key = rights.identity_key
        and retractions.left_value = rights.identity_value
        and retractions.right_key = lefts.identity_key
        and retractions.right_value = lefts.identity_value
    )
