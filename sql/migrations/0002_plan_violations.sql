-- Purpose: what deviates from the tracking plan is counted, and what it does not declare is set aside.
-- Grain: said at the table; a column of calls.

-- One row per load and kind of deviation of messages that were kept. `target` is 'event', 'person' or 'account'; `property`
-- is null where the event itself is not in the plan.
create table store.plan_violations (
    load_id ubigint not null,
    target varchar not null,
    event_name varchar,
    property varchar,
    reason varchar not null,
    message_count ubigint not null,
);

-- Changes of properties that the plan does not declare, a JSON object: not applied, but kept.
alter table store.calls add column other_changes varchar;
