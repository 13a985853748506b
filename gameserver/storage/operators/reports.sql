-- What every report asks of one database's snapshot. Tables: players, players_owned_slots.

-- name: open
-- :size how many slots the group has, :by the column whose histogram bounds are wanted, or ''.
-- `slots` are those that the database owns; `leftovers` those that it has rows of all the same (one index probe each);
-- `bounds` values of the column with about as many rows between any two neighbours, and `rows` how many there are, from
-- Postgres's last statistics.
select array(select slot from players_owned_slots where owned) as slots,
       clock_timestamp() as as_of,
       array(
           select other.slot from generate_series(0, cast(:size as int) - 1) as other(slot)
           left join players_owned_slots o on o.slot = other.slot and o.owned
           cross join lateral (select from players p where p.slot = other.slot order by p.slot, p.id limit 1) as any_of_it
           where o.slot is null
       ) as leftovers,
       array(
           select distinct bound from pg_stats s
           cross join lateral unnest(coalesce(cast(cast(s.histogram_bounds as text) as bigint[]), '{}')
                                     || coalesce(cast(cast(s.most_common_vals as text) as bigint[]), '{}')) as bound
           where s.schemaname = current_schema and s.tablename = 'players' and s.attname = :by
           order by bound
       ) as bounds,
       (select cast(reltuples as bigint) from pg_class where oid = cast('players' as regclass)) as rows

-- name: named
-- :part and :beginning of a name, null for any: the plan, which says how many players are expected to have it.
explain (format json)
select from players
where (cast(:part as text) is null or name_parts(name) @@ name_query(cast(:part as text), false))
  and (cast(:beginning as text) is null or name_parts(name) @@ name_query(cast(:beginning as text), true))

-- name: players
-- :slots and :ids: the whole rows of these players, found one by one through the key, whatever the statistics say.
select p.*
from unnest(cast(:slots as smallint[]), cast(:ids as bigint[])) as wanted(slot, id)
cross join lateral (
    select id, name, class, level, hp, exp, version, created_at, exp_reached_at,
           cast(data as text) as data, banned,
           coalesce(seen, date_bin(interval '1 hour', exp_reached_at, timestamptz 'epoch')) as seen_at
    from players
    where slot = wanted.slot and id = wanted.id limit 1
) as p
