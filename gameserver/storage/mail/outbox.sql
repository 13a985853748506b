-- What a courier asks of one database. Tables: outbox, players_owned_slots. Rows of a slot that the database doesn't
-- own are a copy under way, left by a move, or of slots in conflict, and are skipped: they take nobody's place.

-- name: read
-- $1 kinds, $2 the group's last slot, $3 slots of recipients, $4 limit: the oldest letters of each slot of recipients and
-- kind, of all alike, in the order of time. A recipient whose slot is beyond the last one can't exist; its letter goes to
-- the owner of the last slot, which refuses it. Steps from one slot and kind to the next, so it costs how many of these
-- there are, however many letters wait. `is true` has the slots hashed, where a join might compare each with each.
-- A pair is named by its bounds, so that its rows can come from no other index than that of destinations, whatever the
-- statistics say.
with recursive waiting(slot, kind) as (
    (select (o.recipient >> 10) & 4095, o.kind from outbox o
     order by (o.recipient >> 10) & 4095, o.kind limit 1)
    union all
    select further.* from waiting w, lateral (
        select (o.recipient >> 10) & 4095, o.kind from outbox o
        where ((o.recipient >> 10) & 4095, o.kind) > (w.slot, w.kind)
        order by (o.recipient >> 10) & 4095, o.kind limit 1
    ) as further
), wanted as (
    select w.slot, w.kind, greatest($4::int / count(*) over (), 1) as share
    from waiting w, lateral (
        select o.at from outbox o
        where ((o.recipient >> 10) & 4095, o.kind) >= (w.slot, w.kind)
          and ((o.recipient >> 10) & 4095, o.kind) <= (w.slot, w.kind)
          and (o.slot in (select p.slot from players_owned_slots p where p.owned)) is true
        order by (o.recipient >> 10) & 4095, o.kind, o.at
        limit 1
    ) as first
    where w.kind = any($1::text[]) and (least(w.slot, $2::int) in (select unnest($3::int[]))) is true
    order by first.at
    limit $4
)
select oldest.*
from wanted w, lateral (
    select o.player_id, o.command_id::text as command_id, o.number, o.kind, o.recipient, o.payload, o.at
    from outbox o
    where ((o.recipient >> 10) & 4095, o.kind) >= (w.slot, w.kind)
      and ((o.recipient >> 10) & 4095, o.kind) <= (w.slot, w.kind)
      and (o.slot in (select p.slot from players_owned_slots p where p.owned)) is true
    order by (o.recipient >> 10) & 4095, o.kind, o.at
    limit w.share
) as oldest
order by oldest.at, oldest.command_id, oldest.number

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
