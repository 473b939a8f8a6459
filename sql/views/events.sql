-- Purpose: every event, with the person and account it belongs to now.
-- Grain: one row per event. Times are UTC; event_date is the day in the project's time zone.
-- Parameters: timezone (text).
create or replace view events as
with identities as (
    select
        identity_id,
        identity_key,
        person_id,
    from store.identities
),

accounts_of_persons as (
    select
        person_id,
        account_id,
    from first_accounts
)

select
    events.event_id,
    events.event_name,
    events.event_at,
    events.received_at,
    identities.person_id,
    coalesce(events.account_id, accounts_of_persons.account_id) as account_id,
    events.distinct_id,
    events.dedupe_key,
    events.protocol,
    events.record_type,
    events.source,
    events.sdk,
    events.sdk_version,
    identities.identity_key,
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
    events.original_event_at,
    events.sent_at,
    events.log_order,
from store.events as events
inner join identities
    on events.identity_id = identities.identity_id
left join accounts_of_persons
    on identities.person_id = accounts_of_persons.person_id
