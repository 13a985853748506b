-- What many sign-ups at once need beside their claims and players (claim_writes.sql, birth_writes.sql). Table: ledger.
-- Arguments are arrays of equal length, one element for each player.

-- name: made
-- $1 slots, $2 player ids, $3 command ids: the commands that have made a player.
select l.command_id::text
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as wanted(slot, player_id, command_id)
join ledger l on l.slot = wanted.slot and l.player_id = wanted.player_id and l.command_id = wanted.command_id
where l.action = 'sign_up'
