-- Purpose: remember the keys of a batch, to know a resend. Reads `messages` and `accepted`.
-- Grain: one row per accepted message with a key.
insert into store.keyed_messages by name
select
    messages.dedupe_date,
    messages.message_id,
from messages
inner join accepted
    on messages."row" = accepted."row"
where messages.dedupe_key is not null
