-- When players were last seen. Tables: players, players_owned_slots.

-- name: write
-- :slots, :ids and :hours, arrays of equal length, an element for each player. Returns the ids that were left: those of
-- slots that the database doesn't own, and those whose rows are locked. Of players that don't exist nothing is left.
with wanted as materialized (
    select w.slot, w.id, w.hour, coalesce(o.owned, false) as owned,
           coalesce(not p.void and (p.seen is null or p.seen < w.hour), false) as is_later
    from unnest(cast(:slots as smallint[]), cast(:ids as bigint[]), cast(:hours as timestamptz[])) as w(slot, id, hour)
    left join players_owned_slots o on o.slot = w.slot
    left join players p on p.slot = w.slot and p.id = w.id
), locked as materialized (
    select p.slot, p.id, w.hour
    from wanted w join players p on p.slot = w.slot and p.id = w.id
    where w.owned and w.is_later and not p.void and (p.seen is null or p.seen < w.hour)
    order by p.slot, p.id
    for no key update of p skip locked
), written as (
    update players p set seen = l.hour from locked l where p.slot = l.slot and p.id = l.id
    returning p.id
)
select w.id from wanted w
where not w.owned or (w.is_later and w.id not in (select id from written))
