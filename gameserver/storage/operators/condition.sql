-- What a database's server is, and what this role may do there.

-- name: condition
select current_setting('server_version') as version,
       pg_is_in_recovery() as replica,
       current_setting('wal_level') as wal_level,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int as connections,
       (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
       (select count(*)::int from pg_stat_activity
        where backend_type = 'client backend' and datname = current_database()
          and usename = current_user and pid <> pg_backend_pid()) as ours,
       (select least(nullif(rolconnlimit, -1), nullif(datconnlimit, -1))
        from pg_roles, pg_database where rolname = current_user and datname = current_database()) as allowed,
       pg_database_size(current_database()) as bytes,
       extract(epoch from current_setting('checkpoint_timeout')::interval)::int as checkpoint_seconds,
       pg_size_bytes(current_setting('max_wal_size')) as checkpoint_bytes,
       coalesce((select has_schema_privilege(oid, 'create') from pg_namespace where nspname = 'public'), false)
           as may_create,
       has_database_privilege(current_database(), 'create') as may_publish,
       (select rolreplication or rolsuper from pg_roles where rolname = current_user) as may_replicate,
       coalesce((select pg_has_role(oid, 'member') from pg_roles where rolname = 'pg_create_subscription'), false)
           as may_subscribe,
       (select rolsuper from pg_roles where rolname = current_user) as superuser,
       has_function_privilege('pg_control_system()', 'execute') as may_identify,
       (select coalesce(array_agg(c.relname::text order by c.relname), '{}') from pg_class c
        where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p')
          and c.relname not in ('audit', 'audit_ends') and c.relname !~ '^alembic_'
          and not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
                   and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))) as closed
