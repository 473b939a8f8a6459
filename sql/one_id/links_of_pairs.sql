-- Purpose: the links that lead from some pairs to others.
-- Grain: one row of `identity_links` with exactly one end among the pairs.
-- Parameters: pairs (text, a JSON list of objects with key and value).
with named as (
    select distinct unnest(from_json(cast($pairs as json), '[{"key": "varchar", "value": "varchar"}]'), recursive := true)
)

select links.*
from identity_links as links
left join named as lefts
    on links.left_identity_key = lefts."key"
    and links.left_identity_value = lefts."value"
left join named as rights
    on links.right_identity_key = rights."key"
    and links.right_identity_value = rights."value"
where (lefts."key" is null) <> (rights."key" is null)
order by
    links.log_order,
    links.link_id,
    links.outcome
