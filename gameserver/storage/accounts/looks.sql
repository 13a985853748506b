-- Claims on names, for which claims on their looks are made. Tables: claims, accounts_owned_slots.

-- name: names
-- The next confirmed names of the slots that the database owns.
select c.slot, c.key, c.player_id, cast(c.command_id as text)
from claims c join accounts_owned_slots o using (slot)
where o.owned and c.kind = 'name' and c.confirmed and not starts_with(c.key, :look)
      and (c.slot, c.key) > (cast(:slot as smallint), cast(:last as text))
order by c.slot, c.key
limit :limit

-- name: confirmed
select c.slot, c.key, c.player_id
from unnest(cast(:slots as smallint[]), cast(:keys as text[])) as n(slot, key)
join claims c on c.slot = n.slot and c.kind = 'name' and c.key = n.key
where c.confirmed
