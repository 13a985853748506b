-- Run once by the Postgres image, as its superuser, when it makes its data: the nodes' own role, with what moves of slots need, and its database.
-- GAMESERVER_PASSWORD: the role's password, from the container's environment.
set log_statement = 'none';
set log_min_error_statement = 'panic';
\getenv password GAMESERVER_PASSWORD
create role gameserver login replication in role pg_monitor, pg_create_subscription password :'password';
create database gameserver owner gameserver;
