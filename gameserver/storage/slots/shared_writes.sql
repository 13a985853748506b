-- Which of these slots the database owns; read under the group's fence, in a statement of its own after it.

-- name: accounts_owned
select slot from accounts_owned_slots where owned and slot = any($1::smallint[])

-- name: players_owned
select slot from players_owned_slots where owned and slot = any($1::smallint[])
