-- Dropping old partitions of the ledger. `{partition}` stands for the name of one.

-- name: letters
-- A letter's id may be older than its row: an answer's has the time of the letter that it answers.
select least(min(at), to_timestamp(('x' || replace(left(min(command_id::text), 13), '-', ''))::bit(48)::bigint / 1000.0))
from outbox

-- name: reservations
select min(at) from item_ledger where not settled

-- name: rewards
-- On the control database: the letter of a reward has the time of its season's end, until the season is closed.
select to_timestamp(min("end")) from seasons where state <> 'closed'

-- name: campaigns
-- On the control database: a campaign's letters have the time of its id, while it runs or has letters under way; and one that
-- has begun and waits for a second operator may go on for a week (operators/campaigns.py, AGREE_SECONDS).
select to_timestamp(('x' || replace(left(min(id::text), 13), '-', ''))::bit(48)::bigint / 1000.0)
from campaigns
where state = 'running' or pending is not null
   or state = 'waiting' and (slot > 0 or after > 0) and changed_at > clock_timestamp() - interval '7 days'

-- name: due
-- $1 the time by the node's clock, $2 how long the ledger is kept: the moment before which weeks must have ended. Of two
-- clocks the one that is behind decides.
select least(clock_timestamp(), $1::timestamptz) - $2::interval

-- name: moving
-- Whether slots are being moved from or to this database.
select exists (select from pg_publication where pubname like 'gs\_%')
    or exists (select from pg_subscription s join pg_database d on d.oid = s.subdbid
               where d.datname = current_database() and s.subname like 'gs\_%')

-- name: awaited
-- $1 the lock of this work: whether a move waits for it.
select exists (select from pg_locks l join pg_database d on d.oid = l.database
               where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
                     and l.classid = 0 and l.objid = $1::int::oid and l.objsubid = 1)

-- name: partitions
-- Partitions, oldest first: attached, or left pending or detached by a run that was killed. One that was detached
-- concurrently has the bounds of its week as a constraint; a table without is an operator's.
select c.relname::text as name,
       case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'pending' else 'attached' end as state
from pg_class c left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'ledger'::regclass
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname ~ '^ledger_[0-9]{8}$'
      and (i.inhrelid is not null or exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c'))
order by 1

-- name: slots
select slot from players_owned_slots where owned order by slot

-- name: chunk
-- $1 a slot, $2 the last id of the chunk before, $3 how many players: the last id of the chunk, null for the rest.
select id from players where slot = $1 and id > $2 order by id offset $3 - 1 limit 1

-- name: keep
-- $1 a slot, $2 an id and $3 the last id after it: the sign-ups, and each player's last row that took effect, under the
-- fence; none of a slot that the database doesn't own any more.
insert into ledger_kept (slot, player_id, command_id, action, args, seed, outcome, version, at, ledger_txid, rules)
select slot, player_id, command_id, action, args, seed, outcome, version, at, txid, rules
from (select p.*, row_number() over (partition by player_id order by version desc) as place
      from {partition} p
      where p.slot = $1 and p.player_id > $2 and p.player_id <= $3 and p.seed >= 0
            and exists (select from players_owned_slots o where o.slot = $1 and o.owned)) r
where place = 1 or action = 'sign_up'
on conflict do nothing

-- name: forget
-- $1 a slot, $2 an id and $3 the last id after it: rows of which a later one is kept, but for sign-ups.
delete from ledger_kept k
where k.slot = $1 and k.player_id > $2 and k.player_id <= $3 and k.action <> 'sign_up'
  and exists (select from ledger_kept n where n.slot = k.slot and n.player_id = k.player_id and n.version > k.version)

-- name: free
-- $1 the lowest id that stays, $2 how many: void rows of sign-ups from before, whose ids no player can get any more
-- (accounts/birth_writes.py). A deleted player's row stays.
delete from players
where (slot, id) in (select p.slot, p.id from players_owned_slots n
                     cross join lateral (
                         select slot, id from players
                         where slot = n.slot and id < $1 and void and not deleted order by id limit $2
                     ) p
                     where n.owned
                     limit $2)
