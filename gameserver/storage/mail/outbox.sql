-- What a courier asks of one database. Tables: outbox, players_owned_slots. Rows of a slot that the database doesn't
-- own are a copy of it, or what a move has left, and are passed over.

-- name: lock
-- $1 the lock: whether this connection has got it.
select pg_try_advisory_lock($1)

-- name: read
-- $1 kinds, $2 the group's last slot, $3 the slots of the recipients wanted, $4 how many: the oldest first. A recipient
-- whose slot is beyond the last can't exist; he is sought at the last slot's place.
select o.player_id, o.command_id::text as command_id, o.number, o.kind, o.recipient, o.payload, o.at
from outbox o
where o.kind = any($1::text[])
  and least((o.recipient >> 10) & 4095, $2::int) = any($3::int[])
  and (select w.owned from players_owned_slots w where w.slot = o.slot)
order by o.at, o.command_id, o.number
limit $4

-- name: settle
-- $1..$6 slots, senders, command ids, numbers, kinds, answers (JSON or null): takes letters out that have arrived (null),
-- and turns the others round to their senders; those that aren't there any more in this kind are passed over. A
-- function of the database (migrations/players), which takes the fence first.
select settle_letters($1::smallint[], $2::bigint[], $3::uuid[], $4::smallint[], $5::text[], $6::json[])

-- name: empty
select not exists (select from outbox)

-- name: waiting
-- $1 how far to count: how many letters wait, and for how many seconds the oldest does.
select count(*) as waiting, coalesce(extract(epoch from clock_timestamp() - min(these.at)), 0)::float8 as oldest
from (
    select o.at from outbox o
    where (select w.owned from players_owned_slots w where w.slot = o.slot)
    order by o.at
    limit $1
) as these
