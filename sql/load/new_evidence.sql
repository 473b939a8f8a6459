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

-- Chosen on both sides of the union: making all evidence there is distinct would take long.
candidates as (
    select
        sightings.identity_id,
        sightings.account_type,
        sightings.account_id,
        sightings.happened_at,
        sightings.log_order,
    from account_sightings as sightings
    semi join changed_pairs
        on sightings.identity_id = changed_pairs.identity_id
        and sightings.account_type = changed_pairs.account_type
        and sightings.account_id = changed_pairs.account_id
    where sightings.kind <> 'left'
    union
    select
        evidence.identity_id,
        evidence.account_type,
        evidence.account_id,
        evidence.happened_at,
        evidence.log_order,
    from store.account_evidence as evidence
    semi join changed_pairs
        on evidence.identity_id = changed_pairs.identity_id
        and evidence.account_type = changed_pairs.account_type
        and evidence.account_id = changed_pairs.account_id
    where evidence.kind = 'named'
),

named as (
    select *
    from candidates
    qualify
        happened_at < coalesce(
            min(happened_at) over (
                partition by identity_id, account_type, account_id
                order by log_order
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
