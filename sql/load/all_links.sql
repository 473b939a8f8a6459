-- Purpose: the ledger of links in canonical order, with those that an operator took back marked.
-- Grain: one row per link.
with retractions as (
    select distinct
        details ->> '$.left.key' as left_key,
        details ->> '$.left.value' as left_value,
        details ->> '$.right.key' as right_key,
        details ->> '$.right.value' as right_value,
    from store.acts
    where act = 'retract_link'
)

select
    links.left_identity_id,
    links.right_identity_id,
    links.log_order,
    exists (
        select 1
        from retractions
        where
            (
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
    ) as is_retracted,
from store.links as links
inner join store.identities as lefts
    on links.left_identity_id = lefts.identity_id
inner join store.identities as rights
    on links.right_identity_id = rights.identity_id
order by
    links.log_order,
    links.link_kind = 'message',
    least(lefts.log_order, rights.log_order),
    greatest(lefts.log_order, rights.log_order)
