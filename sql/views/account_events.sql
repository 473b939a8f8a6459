-- Purpose: events with the account of each type that they belong to now, by the rule of the view `events`.
-- Grain: one row per event and account type; events that belong to no account of a type have no row for it.
-- Parameters: timezone (text).
create or replace view account_events as
with account_types as (
    select distinct account_type from store.account_evidence
),

named_events as (
    select
        events.*,
        account_types.account_type,
        case
            when account_types.account_type = 'account' then events.account_id
            else events.accounts[account_types.account_type][1]
        end as named_id,
    from store.attributed_events as events
    cross join account_types
)

select
    named_events.event_id,
    named_events.event_name,
    named_events.event_at,
    named_events.received_at,
    cast((named_events.event_at at time zone 'UTC') at time zone $timezone as date) as event_date,
    named_events.person_id,
    named_events.account_type,
    coalesce(merged.into_id, named_events.named_id, spans.account_id) as account_id,
    named_events.named_id is not null as is_named,
    named_events.distinct_id,
    named_events.protocol,
    named_events.record_type,
    named_events.source,
    named_events.sdk,
    named_events.sdk_version,
    named_events.properties,
    named_events.other_properties,
    named_events.log_order,
from named_events
left join store.merged_accounts as merged
    on named_events.named_id = merged.account_id
    and named_events.account_type = merged.account_type
left join store.account_spans as spans
    on named_events.identity_id = spans.identity_id
    and named_events.account_type = spans.account_type
    and named_events.event_at >= spans.from_at
    and named_events.event_at < spans.until_at
where
    named_events.named_id is not null
    or spans.account_id is not null
