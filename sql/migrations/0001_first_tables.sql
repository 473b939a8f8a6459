-- Purpose: the tables that loading fills; everything in them can be rebuilt from the log.
-- Grain: said at each table. Times are UTC. `log_order` sorts as the canonical order of the log:
-- received_at, then stream, file, offset and message index.

create schema store;

-- One row per thing the loader must remember between batches.
create table store.settings (
    name varchar not null,
    value varchar not null,
);

-- One row per stream: how far it is loaded.
create table store.watermark (
    stream varchar not null,
    file ubigint not null,
    "offset" ubigint not null,
    received_at_us bigint not null,
);

-- One row per (key, value, incarnation) ever seen; `identity_id` is dense and never leaves the warehouse. `log_order` is that
-- of its first message with its place there; `unbound_order` that of the message that unbound it, if one did.
create table store.identities (
    identity_id uinteger not null,
    identity_key varchar not null,
    identity_value varchar not null,
    incarnation uinteger not null,
    unbound_order varchar,
    first_seen_at timestamp not null,
    last_seen_at timestamp not null,
    log_order varchar not null,
    founder_id uinteger not null,
    own_person_id uuid not null,
    person_id uuid not null,
);

-- One row per pair of identities ever linked, with its first evidence.
create table store.links (
    left_identity_id uinteger not null,
    right_identity_id uinteger not null,
    link_kind varchar not null,
    linked_at timestamp not null,
    protocol varchar not null,
    record_type varchar not null,
    log_order varchar not null,
    outcome varchar not null,
);

-- One row per identity and account that a message put together.
create table store.memberships (
    identity_id uinteger not null,
    account_id varchar not null,
    joined_at timestamp not null,
);

-- One row per event.
create table store.events (
    event_id uuid not null,
    event_name varchar not null,
    event_at timestamp not null,
    received_at timestamp not null,
    original_event_at timestamp not null,
    sent_at timestamp,
    identity_id uinteger not null,
    account_id varchar,
    distinct_id varchar,
    dedupe_key varchar,
    protocol varchar not null,
    record_type varchar not null,
    source varchar,
    sdk varchar,
    sdk_version varchar,
    log_order varchar not null,
    load_id ubigint not null,
    properties struct(
        "channel" varchar,
        "region" varchar,
        "amount" double,
        "$url" varchar,
        "$title" varchar,
        "$referrer" varchar,
        "$ip" varchar,
        "$user_agent" varchar,
        "$os" varchar,
        "$app_version" varchar,
        "$utm_source" varchar,
        "$utm_medium" varchar,
        "$utm_campaign" varchar
    ),
    other_properties varchar,
);

-- One row per message that is not an event: profile, identify, alias, group and item calls.
create table store.calls (
    call_id uuid not null,
    record_type varchar not null,
    called_at timestamp not null,
    received_at timestamp not null,
    identity_id uinteger,
    account_id varchar,
    distinct_id varchar,
    dedupe_key varchar,
    protocol varchar not null,
    source varchar,
    sdk varchar,
    sdk_version varchar,
    target varchar,
    operation varchar,
    item_type varchar,
    item_id varchar,
    changes varchar,
    log_order varchar not null,
    load_id ubigint not null,
);

-- One row per message or body that was refused.
create table store.rejects (
    received_at timestamp not null,
    protocol varchar not null,
    record_type varchar,
    event_name varchar,
    reason varchar not null,
    detail varchar not null,
    original blob not null,
    original_length ubigint not null,
    original_sha256 varchar,
    log_order varchar not null,
    load_id ubigint not null,
);

-- One row per operator's act.
create table store.acts (
    act varchar not null,
    operator varchar not null,
    details varchar not null,
    received_at timestamp not null,
    log_order varchar not null,
);

-- One row per load and kind of message: what came, and what became of it.
create table store.arrivals (
    load_id ubigint not null,
    protocol varchar not null,
    record_type varchar,
    outcome varchar not null,
    reason varchar,
    message_count ubigint not null,
);

-- One row per message whose sender gave it a key: a resend keeps key and original time.
create table store.keyed_messages (
    dedupe_date date not null,
    message_id uuid not null,
);

-- One row per recent message without a key, for telling resends within a short window.
create table store.recent_contents (
    content_hash uuid not null,
    occurrence uinteger not null,
    received_at_us bigint not null,
);

-- One row per event property that has a column: the first type seen wins.
create table store.property_columns (
    name varchar not null,
    type varchar not null,
);

-- One row per load, property and reason for values that do not fit their column and were kept in other_properties.
create table store.misfits (
    load_id ubigint not null,
    name varchar not null,
    reason varchar not null,
    value_count ubigint not null,
);

-- One row per identity or account whose days must be refreshed in the marts, from a local date on.
create table store.touched_identities (
    identity_id uinteger not null,
    from_date date not null,
);

create table store.touched_accounts (
    account_id varchar not null,
    from_date date not null,
);
