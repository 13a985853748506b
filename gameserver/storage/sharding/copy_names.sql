-- What is left of copies of moves in the database of the connection. $1 a pattern of their names.

-- name: subscriptions
select s.subname::text as name
from pg_subscription s join pg_database d on d.oid = s.subdbid
where d.datname = current_database() and s.subname ~ $1
order by 1

-- name: publications
select pubname::text as name from pg_publication where pubname ~ $1 order by 1

-- name: slots
-- Replication slots; of tables that are copied for the first time there are others, which Postgres names itself.
select slot_name::text as name from pg_replication_slots where database = current_database() and slot_name ~ $1 order by 1

-- name: end_movers
-- Ends the sessions of movers, but for this one.
select pg_terminate_backend(pid)
from pg_stat_activity
where application_name ~ $1 and datname = current_database() and usename = current_user and pid <> pg_backend_pid()
