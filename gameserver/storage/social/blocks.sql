-- Tables: players_owned_slots, blocks.

-- name: page
-- $1 slots, $2 player ids: whom each blocks, by id (slots/pages.py).
select n.number, coalesce(o.owned, false) as owned, b.blocked_id is not null as found, b.blocked_id, b.added_at
from unnest($1::smallint[], $2::bigint[]) with ordinality as n(slot, id, number)
left join players_owned_slots o on o.slot = n.slot
left join blocks b on b.slot = n.slot and b.player_id = n.id and o.owned
order by n.number, b.blocked_id
