-- The steps of many sign-ups at once, one statement per database. Tables: claims, players, ledger and the groups'
-- owned slots. Arguments are arrays of equal length, one element for each claim or player.

-- name: accounts_owned
select slot from accounts_owned_slots where owned and slot = any(cast(:slots as smallint[]))

-- name: players_owned
select slot from players_owned_slots where owned and slot = any(cast(:slots as smallint[]))

-- name: deadline
select clock_timestamp() + cast(:open_for as interval)

-- name: reserve
-- Opens claims on the keys that are free, and reopens those that the same sign-ups have opened before.
insert into claims as c (slot, kind, key, player_id, command_id, confirmed, deadline)
select n.slot, n.kind, n.key, n.player_id, n.command_id, false, cast(:deadline as timestamptz)
from unnest(cast(:slots as smallint[]), cast(:kinds as text[]), cast(:keys as text[]), cast(:players as bigint[]),
            cast(:commands as uuid[])) as n(slot, kind, key, player_id, command_id)
on conflict (slot, kind, key) do update set deadline = excluded.deadline
where c.player_id = excluded.player_id and c.command_id = excluded.command_id and not c.confirmed
      and c.deadline < excluded.deadline

-- name: holders
-- Of the keys that `reserve` has not opened.
select c.kind, c.key, c.player_id, cast(c.command_id as text) as command_id, c.confirmed
from unnest(cast(:slots as smallint[]), cast(:kinds as text[]), cast(:keys as text[]), cast(:players as bigint[]),
            cast(:commands as uuid[])) as n(slot, kind, key, player_id, command_id)
join claims c on c.slot = n.slot and c.kind = n.kind and c.key = n.key
where c.command_id <> n.command_id or c.player_id <> n.player_id or c.confirmed
      or c.deadline <> cast(:deadline as timestamptz)

-- name: confirm
-- Claims that haven't changed since they were opened. The condition leaves `confirmed` out: with it, the planner might
-- read the whole index of open claims for each of them.
update claims c set confirmed = true
from unnest(cast(:slots as smallint[]), cast(:kinds as text[]), cast(:keys as text[]), cast(:players as bigint[]),
            cast(:commands as uuid[]), cast(:deadlines as timestamptz[]))
     as opened(slot, kind, key, player_id, command_id, deadline)
where c.slot = opened.slot and c.kind = opened.kind and c.key = opened.key and c.command_id = opened.command_id
      and c.player_id = opened.player_id and c.deadline = opened.deadline

-- name: release
-- The cast keeps the planner from using the index of open claims.
delete from claims c
using unnest(cast(:slots as smallint[]), cast(:kinds as text[]), cast(:keys as text[]), cast(:players as bigint[]),
             cast(:commands as uuid[]), cast(:deadlines as timestamptz[]))
      as opened(slot, kind, key, player_id, command_id, deadline)
where c.slot = opened.slot and c.kind = opened.kind and c.key = opened.key and c.command_id = opened.command_id
      and c.player_id = opened.player_id and c.deadline = opened.deadline and cast(c.confirmed as int) = 0

-- name: create
-- Players and their ledger rows; where a row with the id exists, also a void one, neither is written.
with made as (
    insert into players (slot, id, name, class, level, hp, exp, version, session_epoch, void, created_at, exp_reached_at)
    select p.slot, p.id, p.name, p.class, p.level, p.hp, p.exp, 1, 0, false, p.at, p.at
    from unnest(cast(:slots as smallint[]), cast(:players as bigint[]), cast(:names as text[]),
                cast(:classes as text[]), cast(:levels as int[]), cast(:hps as bigint[]), cast(:exps as bigint[]),
                cast(:times as timestamptz[])) as p(slot, id, name, class, level, hp, exp, at)
    on conflict do nothing
    returning id, name
)
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at)
select l.slot, l.player_id, l.command_id, 'sign_up', l.args, 0, l.outcome, 1, l.at
from unnest(cast(:slots as smallint[]), cast(:players as bigint[]), cast(:commands as uuid[]),
            cast(:names as text[]), cast(:args as json[]), cast(:outcomes as json[]), cast(:times as timestamptz[]))
     as l(slot, player_id, command_id, name, args, outcome, at)
join made on made.id = l.player_id and made.name = l.name

-- name: made
-- The commands that have made a player.
select cast(l.command_id as text)
from unnest(cast(:slots as smallint[]), cast(:players as bigint[]), cast(:commands as uuid[]))
     as wanted(slot, player_id, command_id)
join ledger l on l.slot = wanted.slot and l.player_id = wanted.player_id and l.command_id = wanted.command_id
where l.action = 'sign_up'
