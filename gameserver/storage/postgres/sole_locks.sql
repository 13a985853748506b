-- Advisory locks that one session has at a time.

-- name: take
-- $1 the lock: whether this connection has got it.
select pg_try_advisory_lock($1)

-- name: end_frozen
-- $1 the lock, $2 a time: ends whoever holds it and has sent half of a statement, and nothing more for so long; waits a
-- second for the end of each.
select pg_terminate_backend(l.pid, 1000)
from pg_locks l join pg_stat_activity a using (pid)
where a.datname = current_database() and a.state = 'active' and a.wait_event = 'ClientRead'
      and a.state_change < clock_timestamp() - $2::interval
      and l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = 0 and l.objid = $1::int::oid and l.objsubid = 1

-- name: fence
-- $1 a fence: waits for every write under way, and holds up new ones until this transaction ends.
select pg_advisory_xact_lock($1)
