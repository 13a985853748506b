-- What the data holds by a name of the game: on each database, in the slots that it owns.
-- $1 in each: only these names, or null for all.

-- name: class
-- Tables: players, players_owned_slots. How many players have each class.
select p.class as name, count(*) as count
from players p join players_owned_slots o on o.slot = p.slot
where o.owned and not p.void and ($1::text[] is null or p.class = any($1::text[]))
group by p.class

-- name: letter
-- Tables: outbox, players_owned_slots. How many letters of each kind are on their way.
select substr(b.kind, 6) as name, count(*) as count
from outbox b join players_owned_slots o on o.slot = b.slot
where o.owned and b.kind like 'mail:%' and ($1::text[] is null or substr(b.kind, 6) = any($1::text[]))
group by b.kind

-- name: item
-- Tables: stacks, items_owned_slots. How many players own each item.
select s.item as name, count(*) as count
from stacks s join items_owned_slots o on o.slot = s.slot
where o.owned and s.count > 0 and ($1::text[] is null or s.item = any($1::text[]))
group by s.item
