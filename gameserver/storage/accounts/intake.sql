-- What many sign-ups at once need beside their claims and players (claim_writes.sql, birth_writes.sql). Tables: claims,
-- ledger. Arguments are arrays of equal length, one element for each claim or player.

-- name: release
-- $1 slots, $2 kinds, $3 keys, $4 player ids, $5 command ids, $6 deadlines. The cast keeps the planner from using the
-- index of open claims.
delete from claims c
using unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[])
      as opened(slot, kind, key, player_id, command_id, deadline)
where c.slot = opened.slot and c.kind = opened.kind and c.key = opened.key and c.command_id = opened.command_id
      and c.player_id = opened.player_id and c.deadline = opened.deadline and cast(c.confirmed as int) = 0

-- name: made
-- $1 slots, $2 player ids, $3 command ids: the commands that have made a player.
select l.command_id::text
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as wanted(slot, player_id, command_id)
join ledger l on l.slot = wanted.slot and l.player_id = wanted.player_id and l.command_id = wanted.command_id
where l.action = 'sign_up'
