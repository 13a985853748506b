-- What a database says of a move that stands still.

-- name: subscriptions
select subname, subenabled, subslotname from pg_subscription

-- name: tables_being_copied
select srrelid::regclass::text as relation, srsubstate::text as state from pg_subscription_rel where srsubstate <> 'r'

-- name: workers_of_subscriptions
select worker_type, pid, relid::regclass::text as relation, received_lsn, latest_end_time from pg_stat_subscription

-- name: errors_of_subscriptions
select apply_error_count, sync_error_count from pg_stat_subscription_stats

-- name: replication_slots
select slot_name, active_pid, wal_status, restart_lsn, confirmed_flush_lsn from pg_replication_slots

-- name: processes
select pid, backend_type, application_name as name, state, wait_event_type as waits, wait_event as event,
       backend_xid::text as xid, backend_xmin::text as xmin, now() - xact_start as since, left(query, 100) as query
from pg_stat_activity
where xact_start is not null or backend_type like '%logical%' or backend_type = 'walsender'

-- name: what_waits_for_locks
select pid, locktype, mode, relation::regclass::text as relation, transactionid::text as xid
from pg_locks where not granted
