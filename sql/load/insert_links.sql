-- Purpose: write the links that a batch brought, with what became of them. Reads `new_links` and `messages`.
-- Grain: one row per pair of identities linked for the first time.
insert into store.links by name
select
    new_links.left_identity_id,
    new_links.right_identity_id,
    new_links.link_kind,
    messages.message_at as linked_at,
    messages.protocol,
    messages.record_type,
    messages.log_order,
    new_links.outcome,
from new_links
inner join messages
    on new_links."row" = messages."row"
