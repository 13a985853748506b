-- Run once by the Postgres image, as its superuser, when it makes its data: the nodes' own role and database.
-- GAMESERVER_PASSWORD: the role's password, from the container's environment.
\getenv password GAMESERVER_PASSWORD
create role gameserver login in role pg_monitor password :'password';
create database gameserver owner gameserver;
