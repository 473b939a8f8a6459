-- Purpose: links with what became of them and the message that tried each. Reads `new_links` and `messages`.
-- Grain: one row per pair of identities and whether it was refused.
select
    new_links.left_identity_id,
    new_links.right_identity_id,
    new_links.link_kind,
    new_links.outcome,
    new_links.reason,
    new_links.identity_key,
    messages.message_at as linked_at,
    messages.protocol,
    messages.record_type,
    messages.log_order,
from new_links
inner join messages
    on new_links."row" = messages."row"
