-- What happened in a period, player by player. Tables: ledger, ledger_kept, players, players_owned_slots.
-- $1 the slot and $2 the period's beginning, in each. A letter may be much older than the row that it led to, so no
-- partition can be left out.

-- name: chunk
-- $3 the period's end (not included), $4 a player's id, $5 how many: the next players after it that have rows in the period;
-- null if the slot isn't owned here.
select case when o.owned then array(
    select distinct player_id from ledger
    where slot = $1 and player_id > $4 and at >= $2 and at < $3
    order by player_id limit $5
) end as players
from players_owned_slots o where o.slot = $1

-- name: starts
-- $3 players: what each one was then, as its last row from before says, and what rules remembered of it.
-- A player without such a row isn't returned. Its own row knows when EXP got their value, unless they have changed since.
select n.id, b.outcome::text as outcome, b.version, d.data::text as data, coalesce(p.created_at, b.at) as created_at,
       case when p.exp_reached_at < $2 then p.exp_reached_at else coalesce(r.at, b.at) end as exp_reached_at
from unnest($3::bigint[]) as n(id)
cross join lateral (
    select outcome, version, at from (
        select outcome, version, at from ledger
        where slot = $1 and player_id = n.id and seed >= 0 and at < $2
        union all
        select outcome, version, at from ledger_kept
        where slot = $1 and player_id = n.id and seed >= 0 and at < $2
    ) as both_parts order by version desc limit 1
) b
left join lateral (
    select outcome -> 'data' as data from (
        select outcome, version from ledger
        where slot = $1 and player_id = n.id and seed >= 0 and at < $2 and outcome -> 'data' is not null
        union all
        select outcome, version from ledger_kept
        where slot = $1 and player_id = n.id and seed >= 0 and at < $2 and outcome -> 'data' is not null
    ) as both_parts order by version desc limit 1
) d on true
left join players p on p.slot = $1 and p.id = n.id
left join lateral (
    select at from (
        select version, at, lag(outcome ->> 'exp') over (order by version) as before, outcome ->> 'exp' as exp from (
            select version, at, outcome from ledger
            where slot = $1 and player_id = n.id and seed >= 0 and at < $2 and p.exp_reached_at >= $2
            union all
            select version, at, outcome from ledger_kept
            where slot = $1 and player_id = n.id and seed >= 0 and at < $2 and p.exp_reached_at >= $2
        ) as both_parts
    ) as steps
    where before is distinct from exp order by version desc limit 1
) r on true

-- name: rows
-- $3 the period's end, $4 players: their rows in the period, player by player in the order in which they took effect; a
-- refusal has the version that the player had.
select player_id, command_id::text as command_id, action, args::text as args, seed, outcome::text as outcome, at, rules
from ledger
where slot = $1 and player_id = any($4::bigint[]) and at >= $2 and at < $3
order by player_id, version, seed < 0, at, command_id
