-- Purpose: messages that are not events: profile, identify, alias, group and item calls.
-- Grain: one row per message. Times are UTC; changes is a JSON object, as sent;
-- other_changes holds those of properties that the tracking plan in force does not declare, and they are not applied.
create or replace view calls as
select
    calls.call_id,
    calls.record_type,
    calls.called_at,
    calls.received_at,
    identities.person_id,
    calls.account_id,
    calls.distinct_id,
    calls.dedupe_key,
    calls.protocol,
    calls.source,
    calls.sdk,
    calls.sdk_version,
    calls.target,
    calls.operation,
    calls.item_type,
    calls.item_id,
    calls.changes,
    calls.other_changes,
    calls.log_order,
from store.calls as calls
left join store.identity_persons as identities
    on calls.identity_id = identities.identity_id
