-- What a database of players knows of the orders that put rulebooks in force. Table: players_editions.

-- name: fence
-- $1 the fence of players: waits for every write under way, and holds up new ones until this transaction ends.
select pg_advisory_xact_lock($1)

-- name: tell
-- $1 edition, $2 Unix seconds of its moment, $3 state, $4 step, $5 whether its moment must lie ahead. An older step
-- changes nothing.
insert into players_editions as e (edition, at, state, step)
select $1::int, to_timestamp($2::float8), $3::text, $4::smallint
where not $5::boolean or clock_timestamp() < to_timestamp($2::float8)
on conflict (edition) do update set state = excluded.state, step = excluded.step where e.step < excluded.step

-- name: forget
-- $1 edition: the editions before it that no row to be written can be judged by any more.
delete from players_editions where edition < $1 and at < clock_timestamp() - interval '1 day'
    and edition < (select max(r.edition) from players_editions r where r.at <= clock_timestamp() and r.state = 'ordered')

-- name: newest
-- The newest edition that the database knows, 0 if none; and in `open` those of which it may not know the end: undecided
-- ones, and what it takes for ordered from the one in force on.
select coalesce(max(e.edition), 0) as edition,
       coalesce(array_agg(e.edition) filter (where e.state = 'undecided' or (e.state = 'ordered' and e.edition >= coalesce(
           (select max(r.edition) from players_editions r where r.at <= clock_timestamp() and r.state = 'ordered'), 0))),
           '{}') as open
from players_editions e

-- name: has_strange
-- $1 edition: whether there is something for `strange` to do.
select exists (select from players_editions where edition > $1 and step < 32767)

-- name: strange
-- $1 edition: every later one is none any more. A step that no order reaches, so nothing brings them back.
update players_editions set state = 'cancelled', step = 32767 where edition > $1 and step < 32767

-- name: known
-- $1 edition: the step that the database has of it.
select step from players_editions where edition = $1
