-- What a database must be like before tables are made in it.

-- name: requirements
-- `may_create` is whether the role may make tables in the schema `public`, false where that is missing.
select (select pg_encoding_to_char(encoding) from pg_database where datname = current_database()) as encoding,
       coalesce((select has_schema_privilege(oid, 'create') from pg_namespace where nspname = 'public'), false)
           as may_create,
       current_user::text as role, current_database()::text as name
