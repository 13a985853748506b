-- What a database has of slots that are another one's.

-- name: open_moves
-- On the control database.
select id from moves where ended_at is null

-- name: foreign
-- On the control database. $1 a group, $2 a database: slots of others that no open move has, and whose they are.
select s.slot, s.database
from slots s
where s."group" = $1 and s.database <> $2
      and not exists (select from move_slots m where m."group" = s."group" and m.slot = s.slot and m.open)

-- name: filled
-- $1 slots: those of which a table has rows. `{table}` stands for its name.
select slot from unnest($1::smallint[]) as w(slot) where exists (select from "{table}" t where t.slot = w.slot)

-- name: owned
-- $1 slots: those that a database owns. `{group}` stands for their group.
select slot from {group}_owned_slots where owned and slot = any($1::smallint[])
