-- Purpose: make room for the key of the message that takes an accepted resend's place. Reads `displaced`.
-- Grain: one deleted row per displaced message with a key.
delete from store.keyed_messages
where message_id in (
    select accepted.message_id
    from (
        select
            event_id as message_id,
            log_order,
        from store.events
        union all
        select
            call_id as message_id,
            log_order,
        from store.calls
    ) as accepted
    inner join displaced
        on accepted.log_order = displaced.log_order
)
