-- What a report asks of one database's snapshot, besides what depends on its question. Tables: players,
-- players_owned_slots.

-- name: owned
select coalesce(array_agg(slot) filter (where owned), '{}') as slots, clock_timestamp() as as_of from players_owned_slots

-- name: leftovers
-- :others the slots that it doesn't own: those of which it has rows all the same, by one look at its key for each.
select other.slot
from unnest(cast(:others as smallint[])) as other(slot)
cross join lateral (select from players p where p.slot = other.slot order by p.slot, p.id limit 1) as any_of_it

-- name: marks
-- :column some of its values, about as many rows between any two neighbours, as they were when statistics were made.
select distinct mark
from pg_stats s
cross join lateral unnest(coalesce(cast(cast(s.histogram_bounds as text) as bigint[]), '{}')
                          || coalesce(cast(cast(s.most_common_vals as text) as bigint[]), '{}')) as mark
where s.schemaname = current_schema and s.tablename = 'players' and s.attname = :column
order by mark

-- name: players
-- :slots and :ids of players, whole.
select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at
from unnest(cast(:slots as smallint[]), cast(:ids as bigint[])) as wanted(slot, id)
join players p on p.slot = wanted.slot and p.id = wanted.id
