-- Reads of standings in which seasons ended. Table: season_standings. Who is hidden isn't there, and those behind him
-- are better by the ranks that are lost with him.

-- name: page
-- $1 board, $2 season, $3 position after which to go on, $4 how many, $5 the last position that is shown.
select s.position, s.rank, s.score, s.reached_at, s.player_id, s.name, s.class, s.level
from season_standings s
where s.board = $1 and s.start = $2 and s.position > $3 and s.position <= $5 and not s.hidden
order by s.position
limit $4

-- name: position
-- $1 board, $2 season, $3 player id: where he stands, hidden or not.
select s.position from season_standings s
where s.board = $1 and s.start = $2 and s.player_id = $3

-- name: lost
-- $1 board, $2 season, $3 whether ranks are dense: the ranks that those behind them are better by, in their order; of
-- dense ones those that nobody who is shown has: neither the next before nor the next behind one who is hidden.
select h.rank from season_standings h
where h.board = $1 and h.start = $2 and h.hidden and not $3
union all
select distinct h.rank from season_standings h
where h.board = $1 and h.start = $2 and h.hidden and $3
  and h.rank is distinct from (
      select s.rank from season_standings s
      where s.board = h.board and s.start = h.start and s.position < h.position and not s.hidden
      order by s.position desc limit 1)
  and h.rank is distinct from (
      select s.rank from season_standings s
      where s.board = h.board and s.start = h.start and s.position > h.position and not s.hidden
      order by s.position limit 1)
order by rank

-- name: before
-- $1 board, $2 season, $3 position, $4 how many: the positions before it, the nearest first.
select s.position from season_standings s
where s.board = $1 and s.start = $2 and s.position < $3 and not s.hidden
order by s.position desc
limit $4

-- name: players
-- $1 board, $2 season, $3 player ids: where they stand, and how many of those who are shown have a worse rank: all who
-- stand behind the last one with the same score, but for those who are hidden.
select s.position, s.rank, s.score, s.reached_at, s.player_id, s.name, s.class, s.level,
       (select t.players from seasons t where t.board = s.board and t.start = s.start) - last.position
       - (select count(*) from season_standings h
          where h.board = s.board and h.start = s.start and h.hidden and h.position > last.position) as behind
from season_standings s
cross join lateral (
    select b.position from season_standings b
    where b.board = s.board and b.start = s.start and b.score = s.score
    order by b.position desc limit 1
) as last
where s.board = $1 and s.start = $2 and s.player_id = any($3::bigint[]) and not s.hidden

-- name: total
select (select s.players from seasons s where s.board = $1 and s.start = $2)
     - (select count(*) from season_standings h where h.board = $1 and h.start = $2 and h.hidden) as total
