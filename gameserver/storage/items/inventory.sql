-- What players own. Tables: stacks, item_ledger, items_owned_slots; the functions are defined in migrations/items.
-- An array argument has one element per row, in the order of the rows.

-- name: lock
-- $1 slots, $2 player ids, $3 items: takes the fence and returns the slots owned here, as rows without a player, and
-- the stacks, locked.
select slot, player_id, item, count from lock_stacks($1::smallint[], $2::bigint[], $3::text[])

-- name: change
-- One row per stack: $1 slots, $2 player ids, $3 items, $4 changes of the count, $5 counts lost, $6 max_stack.
-- Takes the fence and returns the slots that aren't owned here.
select change_stacks($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) as slot

-- name: epochs
-- $1 slots, $2 player ids: the payment epochs above 0. Table: payment_epochs (players).
select e.player_id, e.epoch
from unnest($1::smallint[], $2::bigint[]) as wanted(slot, id)
join payment_epochs e on e.slot = wanted.slot and e.player_id = wanted.id

-- name: send
-- One row per grant: $1 slots, $2 player ids, $3 command ids, $4 items; $5 number, $6 kind, $7 the batch's time.
-- Table: outbox (players).
insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)
select g.slot, g.player_id, g.command_id, $5::smallint, $6::text, g.player_id, g.items, $7::timestamptz
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::json[]) as g(slot, player_id, command_id, items)

-- name: waiting
-- $1 a number of rows, $2 the kind of grants: how many rows of the outbox go to each slot, letters and grants apart, of
-- senders whose slots are owned here; nothing while the outbox has fewer rows in all. Tables: outbox, players_owned_slots.
select ((recipient >> 10) & 4095)::int as slot, kind = $2::text as are_grants, count(*) as waiting
from outbox o join players_owned_slots p on p.slot = o.slot and p.owned
where (select count(*) from (select from outbox limit $1::int) as these) >= $1::int
group by 1, 2

-- name: look
-- One row per command: $1 slots, $2 player ids, $3 command ids; $4 kind. On the players' database: whether it owns the
-- slot, whether the command has committed, the time, the epoch of a payment reserved now, and the grants that wait for delivery
-- (locked, so that the answer is given only once a standby has them, too).
select case when (select o.owned from players_owned_slots o where o.slot = a.slot) then 'done' else 'moved' end as what,
       exists (select from ledger l where l.slot = a.slot and l.player_id = a.id and l.command_id = a.command_id) as known,
       clock_timestamp() as now,
       coalesce((select e.epoch from payment_epochs e where e.slot = a.slot and e.player_id = a.id), 0) as epoch,
       (select json_agg(json_build_array(w.command_id, w.payload::text))::text
        from (select b.command_id, b.payload from outbox b
              where b.slot = a.slot and b.player_id = a.id and b.kind = $4 for key share) w) as waiting
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) with ordinality as a(slot, id, command_id, number)
order by a.number

-- name: read
-- One row per player: $1 slots, $2 player ids: its stacks, and its open reservations with their age in seconds.
select case when (select o.owned from items_owned_slots o where o.slot = a.slot) then 'done' else 'moved' end as what,
       (select json_agg(json_build_array(s.item, s.count, s.lost) order by s.item)::text
        from stacks s where s.slot = a.slot and s.player_id = a.id) as stacks,
       (select json_agg(json_build_array(l.command_id, l.token, l.items, extract(epoch from clock_timestamp() - l.at)))::text
        from item_ledger l where l.slot = a.slot and l.player_id = a.id and not l.settled) as reserved
from unnest($1::smallint[], $2::bigint[]) with ordinality as a(slot, id, number)
order by a.number

-- name: reserve
-- One row per command: $1 slots, $2 player ids, $3 command ids, $4 tokens, $5 items as JSON.
select what from reserve_items($1, $2, $3, $4, $5) order by number

-- name: give_back
-- Undoes a reservation: $1 slot, $2 player id, $3 command id, $4 token.
select give_back_items($1, $2, $3, $4) as what

-- name: confirm
-- One row per reservation: $1 slots, $2 player ids, $3 command ids, $4 tokens.
select confirm_items($1, $2, $3, $4)

-- name: grant
-- One row per grant: $1 slots, $2 player ids, $3 command ids, $4 items as JSON. $5 the game's items, $6 their max_stack.
-- Returns the slots that aren't owned here: nothing was applied for them.
select grant_items($1, $2, $3, $4, $5, $6) as slot

-- name: overdue
-- $1 seconds, $2 limit: open reservations that are older, drawn if there are more: those that can't be resolved for long
-- hide the others for no longer than chance has it.
select l.player_id, l.command_id::text, l.token::text
from item_ledger l join items_owned_slots o on o.slot = l.slot and o.owned
where not l.settled and l.at < now() - make_interval(secs => $1::float8)
order by random() limit $2::int

-- name: oldest_grant
-- $1 the kind of grants: when the oldest one that waits was posted. Table: outbox (players).
select min(at) as at from outbox where kind = $1
