-- Purpose: every event, with the person and the account (of the default type) it belongs to now: the one it names; else of those that its
-- person was in at that time the one joined first; before any, the one joined first. `accounts` are those of other types, as named.
-- Grain: one row per event. Times are UTC; event_date is the day in the project's time zone.
-- Parameters: timezone (text).
create or replace view events as
select
    events.event_id,
    events.event_name,
    events.event_at,
    events.received_at,
    events.person_id,
    coalesce(merged.into_id, events.account_id, spans.account_id) as account_id,
    events.distinct_id,
    events.dedupe_key,
    events.protocol,
    events.record_type,
    events.source,
    events.sdk,
    events.sdk_version,
    events.identity_key,
    cast((events.event_at at time zone 'UTC') at time zone $timezone as date) as event_date,
    events.properties.channel as channel,
    events.properties.region as region,
    events.properties.amount as amount,
    events.properties."$url" as url,
    events.properties."$title" as title,
    events.properties."$referrer" as referrer,
    events.properties."$ip" as ip,
    events.properties."$user_agent" as user_agent,
    events.properties."$os" as os,
    events.properties."$app_version" as app_version,
    events.properties."$utm_source" as utm_source,
    events.properties."$utm_medium" as utm_medium,
    events.properties."$utm_campaign" as utm_campaign,
    events.properties,
    events.other_properties,
    events.accounts,
    events.original_event_at,
    events.sent_at,
    events.log_order,
from store.attributed_events as events
left join store.merged_accounts as merged
    on events.account_id = merged.account_id
    and merged.account_type = 'account'
left join store.account_spans as spans
    on events.identity_id = spans.identity_id
    and spans.account_type = 'account'
    and events.event_at >= spans.from_at
    and events.event_at < spans.until_at
