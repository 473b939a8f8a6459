-- Purpose: widen when known identities were seen, by event time, by all that loads have noted of it since the last time.
-- Grain: one updated row per identity seen earlier or later than before.
update store.identities
set
    first_seen_at = least(identities.first_seen_at, later.first_seen_at),
    last_seen_at = greatest(identities.last_seen_at, later.last_seen_at),
from (
    select
        identity_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
    from store.later_sightings
    group by identity_id
) as later
where
    identities.identity_id = later.identity_id
    and (
        later.first_seen_at < identities.first_seen_at
        or later.last_seen_at > identities.last_seen_at
    )
