-- Purpose: widen when known identities were seen, by event time. Reads `seen_identities`.
-- Grain: one updated row per identity seen earlier or later than before.
update store.identities
set
    first_seen_at = least(identities.first_seen_at, seen.first_seen_at),
    last_seen_at = greatest(identities.last_seen_at, seen.last_seen_at),
from seen_identities as seen
where
    identities.identity_id = seen.identity_id
    and (
        seen.first_seen_at < identities.first_seen_at
        or seen.last_seen_at > identities.last_seen_at
    )
