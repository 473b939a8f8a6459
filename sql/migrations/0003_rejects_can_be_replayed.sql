-- Purpose: rejects can be sent through again, and their originals have a budget.
-- Grain: three columns of the table of rejects.
-- `is_last`: it stands at the end of what was read of its record, so a mended record may hold more messages after it.
-- `kept_bytes`: how much of the original is kept here. `is_original_dropped`: it was emptied to keep the budget.
alter table store.rejects add column is_last boolean default false;
alter table store.rejects add column kept_bytes ubigint default 0;
alter table store.rejects add column is_original_dropped boolean default false;

-- Of rejects from before, the reason says whether they ended their record.
update store.rejects
set
    is_last = reason in (
        'body_too_large',
        'decompressed_too_large',
        'unreadable_body',
        'too_many_messages',
        'decoder_failed'
    ),
    kept_bytes = octet_length(original),
    is_original_dropped = false;
