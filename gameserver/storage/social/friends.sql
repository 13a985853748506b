-- Tables: players_owned_slots, friends.

-- name: page
-- $1 slots, $2 player ids: the friends of each, by id (slots/pages.py).
select n.number, coalesce(o.owned, false) as owned, f.friend_id is not null as found, f.friend_id
from unnest($1::smallint[], $2::bigint[]) with ordinality as n(slot, id, number)
left join players_owned_slots o on o.slot = n.slot
left join friends f on f.slot = n.slot and f.player_id = n.id and o.owned
order by n.number, f.friend_id
