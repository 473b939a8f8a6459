-- Purpose: the evidence of accounts in another world: of identities folded anew it is collected again. Reads `world_old`,
-- `world_sightings` and `world_act_evidence`.
-- Grain: one row per identity, account and piece of evidence.
-- Parameters: known_order (text, place in the log), happened_at (text, UTC timestamp).
select evidence.*
from store.account_evidence as evidence
anti join world_old as old
    on evidence.identity_id = old.identity_id
where
    not evidence.is_act
    and evidence.log_order < $known_order
    and evidence.happened_at < cast($happened_at as timestamp)
union all by name
select
    *,
    false as is_act,
from world_sightings
union all by name
select *
from world_act_evidence
where happened_at < cast($happened_at as timestamp)
