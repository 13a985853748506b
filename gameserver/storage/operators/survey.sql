-- What one database holds. Tables: the group's own, by their names; players, players_owned_slots.

-- name: role
-- 'replica' while the server follows another one, else 'primary'.
select case when pg_is_in_recovery() then 'replica' else 'primary' end

-- name: tables
-- :tables names of a group's tables: their bytes with indexes and partitions, and the rows written to them since the
-- server's statistics were reset.
select coalesce(sum(pg_total_relation_size(part.relid)), 0)::bigint as bytes,
       coalesce(sum(counted.n_tup_ins + counted.n_tup_upd + counted.n_tup_del), 0)::bigint as writes
from unnest(cast(:tables as text[])) as wanted(name)
left join lateral pg_partition_tree(to_regclass(wanted.name)) as tree on true
cross join lateral (select coalesce(tree.relid, to_regclass(wanted.name)) as relid) as part
left join pg_stat_user_tables as counted on counted.relid = part.relid

-- name: players
-- How many players lie in slots that the database owns: rows of a copy, or left of one, aren't counted.
select count(*) from players p join players_owned_slots o on o.slot = p.slot where o.owned and not p.void
