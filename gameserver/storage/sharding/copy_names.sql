-- What is left of copies of moves in the database of the connection. $1 a pattern of their names; $2 a table and $3 slots.

-- name: subscriptions
select s.subname::text as name
from pg_subscription s join pg_database d on d.oid = s.subdbid
where d.datname = current_database() and s.subname ~ $1
order by 1

-- name: publications
select pubname::text as name from pg_publication where pubname ~ $1 order by 1

-- name: of_slots
-- Publications of rows of these slots; their filters name nothing else by number.
select p.pubname::text as name
from pg_publication p join pg_publication_rel r on r.prpubid = p.oid
where p.pubname ~ $1 and r.prrelid = to_regclass($2)
  and exists (
    select from regexp_matches(pg_get_expr(r.prqual, r.prrelid), '[0-9]+', 'g') as number where number[1]::int = any($3::int[])
  )
order by 1

-- name: slots
-- Replication slots; of tables that are copied for the first time there are others, which Postgres names itself.
select slot_name::text as name from pg_replication_slots where database = current_database() and slot_name ~ $1 order by 1

-- name: end_movers
-- Ends the sessions of movers, but for this one.
select pg_terminate_backend(pid)
from pg_stat_activity
where application_name ~ $1 and datname = current_database() and usename = current_user and pid <> pg_backend_pid()
