-- What of a server's parameters and state nodes depend on, and room for the copy of a move.

-- name: parameters
-- `oldest` is how many transactions ago the oldest row was written that isn't frozen; at two thousand million the server stops.
-- `reordered`: the library that orders texts was replaced since the indexes were made.
-- `copying` is what the copy of a move takes of slots and connections for replication, at the most.
select (select pg_encoding_to_char(encoding) from pg_database where datname = current_database()) as encoding,
       current_setting('default_transaction_read_only') = 'on' as read_only,
       pg_backend_pid() as pid,
       current_setting('autovacuum') = 'on' as autovacuum,
       (select datcollversion is not null and datcollversion is distinct from pg_database_collation_actual_version(oid)
        from pg_database where datname = current_database()) as reordered,
       (select max(age(datfrozenxid)) from pg_database) as oldest,
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as encrypted,
       current_setting('max_replication_slots')::int - (select count(*)::int from pg_replication_slots) as slots_free,
       current_setting('max_wal_senders')::int - (select count(*)::int from pg_stat_replication) as senders_free,
       1 + current_setting('max_sync_workers_per_subscription')::int as copying,
       least(current_setting('max_logical_replication_workers')::int,
             current_setting('max_worker_processes')::int) as workers
