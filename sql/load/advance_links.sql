-- Purpose: a stream that came late may hold earlier evidence of a known link. Reads `new_links` and `messages`.
-- Grain: one updated row per link whose first evidence is now earlier.
update store.links
set
    linked_at = earlier.linked_at,
    protocol = earlier.protocol,
    record_type = earlier.record_type,
    log_order = earlier.log_order,
    link_kind = earlier.link_kind,
from (
    select
        new_links.left_identity_id,
        new_links.right_identity_id,
        new_links.link_kind,
        messages.message_at as linked_at,
        messages.protocol,
        messages.record_type,
        messages.log_order,
    from new_links
    inner join messages
        on new_links."row" = messages."row"
) as earlier
where
    links.left_identity_id = earlier.left_identity_id
    and links.right_identity_id = earlier.right_identity_id
    and earlier.log_order < links.log_order
