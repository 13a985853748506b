-- Claims of many at once. Table: claims. Arguments are arrays of equal length, one element for each claim:
-- $1 slots, $2 kinds, $3 keys, $4 player ids, $5 command ids.

-- name: open
-- Opens claims on the keys that are free, and reopens those that the same sign-ups have opened before; $6 for how long.
insert into claims as c (slot, kind, key, player_id, command_id, confirmed, deadline)
select n.slot, n.kind, n.key, n.player_id, n.command_id, false, clock_timestamp() + $6::interval
from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::uuid[])
     as n(slot, kind, key, player_id, command_id)
on conflict (slot, kind, key) do update set deadline = greatest(excluded.deadline, c.deadline + interval '1 microsecond')
where c.player_id = excluded.player_id and c.command_id = excluded.command_id and not c.confirmed
returning c.slot, c.kind, c.key, c.player_id, c.command_id::text, c.confirmed, c.deadline, false as overdue

-- name: retake
-- Opens claims for players that exist on the keys that are free, and reopens their own; $6 for how long.
insert into claims as c (slot, kind, key, player_id, command_id, confirmed, deadline)
select n.slot, n.kind, n.key, n.player_id, n.command_id, false, clock_timestamp() + $6::interval
from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::uuid[])
     as n(slot, kind, key, player_id, command_id)
on conflict (slot, kind, key) do update
set command_id = excluded.command_id, confirmed = false,
    deadline = greatest(excluded.deadline, c.deadline + interval '1 microsecond')
where c.player_id = excluded.player_id
returning c.slot, c.kind, c.key, c.player_id, c.command_id::text, c.confirmed, c.deadline, false as overdue

-- name: doubt
-- Reopens the claims that are the players' own; $5 for how long.
update claims c set confirmed = false,
                    deadline = greatest(clock_timestamp() + $5::interval, c.deadline + interval '1 microsecond')
from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[]) as n(slot, kind, key, player_id)
where c.slot = n.slot and c.kind = n.kind and c.key = n.key and c.player_id = n.player_id
returning c.slot, c.kind, c.key, c.player_id, c.command_id::text, c.confirmed, c.deadline, false as overdue

-- name: present
select c.slot, c.kind, c.key, c.player_id, c.command_id::text, c.confirmed, c.deadline,
       not c.confirmed and c.deadline < now() as overdue
from unnest($1::smallint[], $2::text[], $3::text[]) as n(slot, kind, key)
join claims c on c.slot = n.slot and c.kind = n.kind and c.key = n.key

-- name: confirm
-- Claims that haven't changed since they were opened, by their $6 deadlines. The condition leaves `confirmed` out: with
-- it, the planner might read the whole index of open claims for each of them.
update claims c set confirmed = true
from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[])
     as opened(slot, kind, key, player_id, command_id, deadline)
where c.slot = opened.slot and c.kind = opened.kind and c.key = opened.key and c.command_id = opened.command_id
      and c.player_id = opened.player_id and c.deadline = opened.deadline

-- name: release
-- Open claims that haven't changed since they were opened, by their $6 deadlines. The cast keeps the planner from using
-- the index of open claims.
delete from claims c
using unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[])
      as opened(slot, kind, key, player_id, command_id, deadline)
where c.slot = opened.slot and c.kind = opened.kind and c.key = opened.key and c.command_id = opened.command_id
      and c.player_id = opened.player_id and c.deadline = opened.deadline and cast(c.confirmed as int) = 0
