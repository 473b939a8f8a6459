-- Purpose: the messages of a batch whose sender's key was seen before, in this batch or an earlier one.
-- Grain: one row per duplicate message. Reads the batch as `messages`.
with keyed as (
    select
        "row",
        message_id,
        dedupe_date,
        row_number() over (partition by message_id order by "row") as nth,
    from messages
    where dedupe_key is not null
)

select keyed."row"
from keyed
left join store.keyed_messages as seen
    on keyed.message_id = seen.message_id
    and keyed.dedupe_date = seen.dedupe_date
where
    keyed.nth > 1
    or seen.message_id is not null
