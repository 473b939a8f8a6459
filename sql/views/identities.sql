-- Purpose: what senders called persons by, and the person each such pair belongs to now.
-- Grain: one row per identity; a pair that was unbound and came again has a row per incarnation.
create or replace view identities as
select
    identity_key,
    identity_value,
    person_id,
    incarnation,
    unbound_order is not null as is_unbound,
    first_seen_at,
    last_seen_at,
from store.identities
