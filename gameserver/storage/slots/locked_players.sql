-- Table: players. Arguments are arrays of equal length, one element for each player.

-- name: lock
-- $1 slots, $2 player ids: those that could be locked at once.
select p.id, p.session_epoch
from unnest($1::smallint[], $2::bigint[]) as n(slot, id)
join players p on p.slot = n.slot and p.id = n.id
where not p.void
for no key update of p skip locked

-- name: present
-- $1 slots, $2 player ids: those that exist.
select p.id
from unnest($1::smallint[], $2::bigint[]) as n(slot, id)
join players p on p.slot = n.slot and p.id = n.id
where not p.void
