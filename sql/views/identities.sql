-- Purpose: what senders called persons by, and the person each such pair belongs to now.
-- Grain: one row per identity; a pair that was unbound and came again has a row per incarnation.
-- is_founder: the identity that was seen first, which names the person. unbound_because: unbound (by a message), parent_unbound
-- (with the value of a key that stands above its own), replaced (by a newer value, where the rules say so); unbound_order and
-- log_order are the places in the log of the message that freed it, and of the one that first carried it (with its place therein).
create or replace view identities as
select
    identity_key,
    identity_value,
    person_id,
    incarnation,
    own_person_id = person_id as is_founder,
    unbound_order is not null as is_unbound,
    unbound_because,
    unbound_order,
    first_seen_at,
    last_seen_at,
    log_order,
from store.known_identities
