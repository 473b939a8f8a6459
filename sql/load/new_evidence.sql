-- Purpose: what sightings add to the evidence of accounts. Reads `account_sightings`.
-- Grain: one row per identity, account and piece of evidence. Of 'named' the whole evidence of the pair as it is now: what no other
-- both precedes in time and foreruns in the log. Of 'joined' and 'left' all that is new.
with first_sightings as (
    select
        identity_id,
        account_type,
        account_id,
        min(happened_at) as happened_at,
        min(log_order) as log_order,
    from account_sightings
    where kind <> 'left'
    group by
        identity_id,
        account_type,
        account_id
),

-- Nearly all sightings are of pairs whose evidence is older in both respects.
changed_pairs as (
    select first_sightings.*
    from first_sightings
    anti join store.account_evidence as evidence
        on first_sightings.identity_id = evidence.identity_id
        and first_sightings.account_type = evidence.account_type
        and first_sightings.account_id = evidence.account_id
        and evidence.kind = 'named'
        and evidence.happened_at <= first_sightings.happened_at
        and evidence.log_order <= first_sightings.log_order
),

candidates as (
    select
        identity_id,
        account_type,
        account_id,
        happened_at,
        log_order,
    from account_sightings
    where kind <> 'left'
    union
    select
        identity_id,
        account_type,
        account_id,
        happened_at,
        log_order,
    from store.account_evidence
    where kind = 'named'
),

named as (
    select candidates.*
    from candidates
    semi join changed_pairs
        on candidates.identity_id = changed_pairs.identity_id
        and candidates.account_type = changed_pairs.account_type
        and candidates.account_id = changed_pairs.account_id
    qualify
        candidates.happened_at < coalesce(
            min(candidates.happened_at) over (
                partition by candidates.identity_id, candidates.account_type, candidates.account_id
                order by candidates.log_order
                rows between unbounded preceding and 1 preceding
            ),
            timestamp 'infinity'
        )
)

select
    identity_id,
    account_type,
    account_id,
    'named' as kind,
    happened_at,
    log_order,
    false as is_act,
from named
union all
select
    identity_id,
    account_type,
    account_id,
    kind,
    happened_at,
    log_order,
    false as is_act,
from account_sightings
where kind <> 'named'
