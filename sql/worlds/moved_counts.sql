-- Purpose: how many persons there are without and in the imagined world, how many events count for another account, and how many
-- memberships are in only one of the two.
-- Grain: one row.
select
    (select count(distinct person_id) from stored_identities) as persons_before,
    (select count(distinct person_id) from identities) as persons_after,
    (
        select count(*)
        from stored_events
        inner join events
            on stored_events.log_order = events.log_order
        where stored_events.account_id is distinct from events.account_id
    ) as events_of_another_account,
    (
        select count(*)
        from (select distinct person_id, account_type, account_id from stored_memberships) as before
        full outer join (select distinct person_id, account_type, account_id from memberships) as after
            on before.person_id = after.person_id
            and before.account_type = after.account_type
            and before.account_id = after.account_id
        where
            before.person_id is null
            or after.person_id is null
    ) as memberships
