-- What a report asks of one database's snapshot, besides what depends on its question. Tables: players,
-- players_owned_slots.

-- name: open
-- :size of the group, :by a column that marks are wanted of, or nothing. The slots that the database owns; the others
-- of which it has rows all the same, by one look at its key for each; and some of the column's values, about as many rows
-- between any two neighbours, as they were when Postgres made its statistics.
select array(select slot from players_owned_slots where owned) as slots,
       clock_timestamp() as as_of,
       array(
           select other.slot from generate_series(0, cast(:size as int) - 1) as other(slot)
           left join players_owned_slots o on o.slot = other.slot and o.owned
           cross join lateral (select from players p where p.slot = other.slot order by p.slot, p.id limit 1) as any_of_it
           where o.slot is null
       ) as leftovers,
       array(
           select distinct mark from pg_stats s
           cross join lateral unnest(coalesce(cast(cast(s.histogram_bounds as text) as bigint[]), '{}')
                                     || coalesce(cast(cast(s.most_common_vals as text) as bigint[]), '{}')) as mark
           where s.schemaname = current_schema and s.tablename = 'players' and s.attname = :by
           order by mark
       ) as marks

-- name: players
-- :slots and :ids of players, whole; one by one, whatever the statistics say.
select p.*
from unnest(cast(:slots as smallint[]), cast(:ids as bigint[])) as wanted(slot, id)
cross join lateral (
    select id, name, class, level, hp, exp, version, created_at, exp_reached_at from players
    where slot = wanted.slot and id = wanted.id limit 1
) as p
