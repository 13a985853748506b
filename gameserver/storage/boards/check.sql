-- What a check of the boards reads from one database. Tables: players, players_owned_slots, scores.

-- name: owned
-- The slots that it owns, and its time, which is no later than what a statement after it in the same snapshot shows.
select array(select slot from players_owned_slots where owned) as slots, statement_timestamp() as at

-- name: places
-- $1 slots, $2 player ids, $3 boards and $4 seasons whose scores are stored: those of the players that it owns.
select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at,
       coalesce(p.level_reached_at, p.created_at) as level_reached_at, p.banned or p.deleted as gone,
       stored.wanted, stored.scores, stored.reached
from unnest($1::smallint[], $2::bigint[]) as requested(slot, id)
join players_owned_slots o on o.slot = requested.slot and o.owned
join players p on p.slot = requested.slot and p.id = requested.id and (p.deleted or not p.void)
left join lateral (
    select array_agg(w.number) as wanted, array_agg(s.score) as scores, array_agg(s.reached_at) as reached
    from unnest($3::text[], $4::bigint[]) with ordinality as w(board, season, number)
    join scores s on s.slot = p.slot and s.player_id = p.id and s.board = w.board and s.season = w.season
) as stored on cardinality($3::text[]) > 0

-- name: ids
-- $1 slot and $2 id after which to go on, $3 how many: ids of its players, in the order of their key.
select p.slot, p.id
from players p
where (p.slot, p.id) > ($1::smallint, $2::bigint) and (p.deleted or not p.void)
  and (select o.owned from players_owned_slots o where o.slot = p.slot)
order by p.slot, p.id
limit $3
