-- Dropping old partitions of the ledger. `{partition}` stands for the name of one.

-- name: moving
-- Whether slots are being moved from or to this database.
select exists (select from pg_publication where pubname like 'gs\_%')
    or exists (select from pg_subscription s join pg_database d on d.oid = s.subdbid
               where d.datname = current_database() and s.subname like 'gs\_%')

-- name: partitions
-- Partitions, oldest first: attached, or left pending or detached by a run that was killed.
select c.relname::text as name,
       case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'pending' else 'attached' end as state
from pg_class c left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'ledger'::regclass
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname ~ '^ledger_[0-9]{8}$'
order by 1

-- name: slots
select slot from players_owned_slots where owned order by slot

-- name: keep
-- $1 a slot: the sign-ups, and each player's last row that took effect, under the fence.
insert into ledger_kept (slot, player_id, command_id, action, args, seed, outcome, version, at)
select slot, player_id, command_id, action, args, seed, outcome, version, at
from (select p.*, row_number() over (partition by player_id order by version desc) as place
      from {partition} p
      where p.slot = $1 and p.seed >= 0 and exists (select from players_owned_slots o where o.slot = $1 and o.owned)) r
where place = 1 or action = 'sign_up'
on conflict do nothing

-- name: forget
-- $1 a slot: rows of which a later one is kept, but for sign-ups.
delete from ledger_kept k
where k.slot = $1 and k.action <> 'sign_up'
  and exists (select from ledger_kept n where n.slot = k.slot and n.player_id = k.player_id and n.version > k.version)
