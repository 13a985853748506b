-- Sessions of processes that stand still.

-- name: end_standing
-- $1 a version, as server_version_num, $2 a time: on an older server, ends every session of the product that has sent half
-- of a statement, and nothing more for so long. A row for each; on a server of that version or newer, one with null. Who
-- copies rows into a table sends them between two statements, and may be slow.
select null::boolean as ended where current_setting('server_version_num')::int >= $1::int
union all
select pg_terminate_backend(pid) from pg_stat_activity
where current_setting('server_version_num')::int < $1::int
      and datname = current_database() and usename = current_user and application_name = 'gameserver'
      and state = 'active' and wait_event = 'ClientRead' and state_change < clock_timestamp() - $2::interval
      and query !~* '^\s*copy\s' and pid <> pg_backend_pid()
