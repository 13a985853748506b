-- What a courier asks of one database. Tables: outbox, players_owned_slots. Rows of a slot that the database doesn't
-- own are a copy under way, or left by a move, and are skipped.

-- name: read
-- $1 kinds, $2 the group's last slot, $3 slots of recipients, $4 limit: the oldest letters first. A recipient whose slot
-- is beyond the last one can't exist; its letter goes to the owner of the last slot, which refuses it.
select o.player_id, o.command_id::text as command_id, o.number, o.kind, o.recipient, o.payload, o.at
from outbox o
where o.kind = any($1::text[])
  and least((o.recipient >> 10) & 4095, $2::int) = any($3::int[])
  and (select w.owned from players_owned_slots w where w.slot = o.slot)
order by o.at, o.command_id, o.number
limit $4

-- name: settle
-- $1 slots, $2 senders, $3 command ids, $4 numbers, $5 kinds, $6 answers (JSON or null): deletes letters that took effect
-- (null), and turns the others into letters to their senders. A row that is gone, or of another kind by now, is skipped.
-- The function (migrations/players) takes the fence first.
select settle_letters($1::smallint[], $2::bigint[], $3::uuid[], $4::smallint[], $5::text[], $6::json[])

-- name: empty
-- Whether there is no row at all.
select not exists (select from outbox)

-- name: waiting
-- $1 up to what to count: how many letters wait, and for how many seconds the oldest has.
select count(*) as waiting, coalesce(extract(epoch from clock_timestamp() - min(these.at)), 0)::float8 as oldest
from (
    select o.at from outbox o
    where (select w.owned from players_owned_slots w where w.slot = o.slot)
    order by o.at
    limit $1
) as these
