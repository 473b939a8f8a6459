-- Purpose: what operators say of memberships, as evidence. A pair means the identity that was live when the act came, else the first that
-- came after it.
-- Grain: one row per act whose identity has been seen.
with acts as (
    select
        case act when 'add_member' then 'joined' else 'left' end as kind,
        details ->> '$.identity_key' as identity_key,
        details ->> '$.identity_value' as identity_value,
        details ->> '$.account_type' as account_type,
        details ->> '$.account_id' as account_id,
        coalesce(make_timestamp(cast(details ->> '$.at_us' as bigint)), received_at) as happened_at,
        log_order,
    from store.acts
    where act in ('add_member', 'end_member')
)

select
    arg_min(identities.identity_id, identities.incarnation) as identity_id,
    acts.account_type,
    acts.account_id,
    acts.kind,
    acts.happened_at,
    acts.log_order,
    true as is_act,
from acts
inner join store.identities as identities
    on acts.identity_key = identities.identity_key
    and acts.identity_value = identities.identity_value
left join store.unbound_identities as unbound
    on identities.identity_id = unbound.identity_id
where
    unbound.unbound_order is null
    or unbound.unbound_order > acts.log_order
group by
    acts.account_type,
    acts.account_id,
    acts.kind,
    acts.happened_at,
    acts.log_order
