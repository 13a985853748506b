-- Which move is copied to a database now. Its mover holds a lock there, over a connection that has the move's number in its
-- application name (copying.py).

-- name: holder
-- $1 the lock: the move whose mover holds it.
select substring(a.application_name from '_move_([0-9]+)_mover$')::int
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = 0 and l.objid = $1::int::oid and l.objsubid = 1

-- name: end
-- $1 the lock, $2 a move: ends the session if it still holds the lock, and waits a second for that.
select pg_terminate_backend(l.pid, 1000)
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = 0 and l.objid = $1::int::oid and l.objsubid = 1
      and substring(a.application_name from '_move_([0-9]+)_mover$')::int = $2::int
