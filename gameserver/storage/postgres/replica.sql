-- How far a primary's log has come, and a replica of it. Tables: none.

-- name: primary
-- The system, its timeline, and the position in bytes up to which the log is on disk; no position of a server that is
-- itself a replica by now.
select (select system_identifier::text from pg_control_system()) as system,
       case when not pg_is_in_recovery()
           then ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline,
       case when not pg_is_in_recovery()
           then pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint end as position

-- name: replica
-- Its system, the timeline that it receives, if it receives anything (and the role has pg_monitor, to see that), the
-- position that it has replayed, and whether it is a replica at all.
select (select system_identifier::text from pg_control_system()) as system,
       (select received_tli from pg_stat_wal_receiver) as timeline,
       pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint as position,
       pg_is_in_recovery() as replays
