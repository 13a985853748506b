-- Who follows a database's server, and whether its commits wait for one of them. Tables: none.

-- name: waiting
-- `sees`: whether the role may know what standbys do (pg_monitor); `keeps` is '-1' without a bound. `synchronized` are the
-- slots that moves of slots wait for: '' for none, also on Postgres 16, which hasn't got the setting.
select current_setting('synchronous_standby_names') as synchronous,
       coalesce(current_setting('synchronized_standby_slots', true), '') as synchronized,
       current_setting('max_slot_wal_keep_size') as keeps,
       (select rolsuper from pg_roles where rolname = current_user)
           or pg_has_role('pg_read_all_stats', 'usage') as sees

-- name: standbys
-- Connections for replication; `copies` is the copy of a move, another subscription, or what keeps the log or a base backup:
-- no standby takes over from there. `behind` is in bytes.
select r.application_name as name, coalesce(r.state, '') as state, coalesce(r.sync_state, '') as sync_state,
       r.application_name in ('gameserver_archive', 'pg_receivewal', 'pg_basebackup')
           or exists (select from pg_replication_slots s where s.active_pid = r.pid
                          and (s.slot_type = 'logical' or s.slot_name = 'gameserver_archive')) as copies,
       case when not pg_is_in_recovery()
           then pg_wal_lsn_diff(pg_current_wal_lsn(), r.flush_lsn)::bigint end as behind
from pg_stat_replication r
order by r.application_name

-- name: slots
-- `kept` are the bytes of log that the server keeps for the slot's reader.
select slot_name::text as name, slot_type as kind, active, coalesce(wal_status, '') as status,
       case when not pg_is_in_recovery()
           then coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint else 0 end as kept
from pg_replication_slots
order by slot_name

-- name: replica
-- Asked of a replica: whether its replay is paused, and whether it receives anything.
select pg_get_wal_replay_pause_state() <> 'not paused' as paused,
       exists (select from pg_stat_wal_receiver) as receives,
       (select rolsuper from pg_roles where rolname = current_user)
           or pg_has_role('pg_read_all_stats', 'usage') as sees

-- name: server
-- Tells servers behind one address apart.
select pg_postmaster_start_time()::text || ' ' || coalesce(host(inet_server_addr()), '')
