-- What the end of a season asks of one database. Tables: players, players_owned_slots, scores, season_floors.

-- name: floors
-- $1 board, $2 a Unix second: the slots that the database owns, whether scores in each go to a season that begins no
-- earlier, and whether that time has come by the database's clock.
select o.slot, coalesce(f.season >= $2::bigint, false) as floored, clock_timestamp() >= to_timestamp($2::bigint) as over
from players_owned_slots o left join season_floors f on f.slot = o.slot and f.board = $1::text
where o.owned

-- name: floor
-- $1 board, $2 the Unix second at which its season ended: from here on scores in the slots that the database owns go to
-- the season that begins then, or to the later one to which they go already. Does nothing while that time lies ahead by
-- the database's clock.
insert into season_floors as f (slot, board, season)
select o.slot, $1::text, $2::bigint from players_owned_slots o
where o.owned and clock_timestamp() >= to_timestamp($2::bigint)
on conflict (slot, board) do update set season = excluded.season where f.season < excluded.season

-- name: owned
-- The slots that the database owns.
select array(select slot from players_owned_slots where owned order by slot)

-- name: standings
-- $1 board, $2 season, $3 1 for the lowest score first and -1 for the highest, $4 limit, not counting banned players,
-- $5 whether to return banned players, too: the standings of the players in slots that the database owns.
select s.score, s.reached_at, s.player_id, p.name, p.class, p.level, p.banned
from scores s
join players p on p.slot = s.slot and p.id = s.player_id and not p.void and ($5 or not p.banned)
where s.board = $1 and s.season = $2 and s.score is not null and (select o.owned from players_owned_slots o where o.slot = s.slot)
order by $3::bigint * s.score, s.reached_at, s.player_id
limit $4::bigint + (
    select count(*) from scores b
    join players q on q.slot = b.slot and q.id = b.player_id and q.banned and $5
    where b.board = $1 and b.season = $2 and b.score is not null
)
