-- Reads of the standings in which seasons ended. Tables: season_standings, seasons.
-- A hidden (banned) player is left out of every answer but `position`, and the ranks behind it close up.

-- name: page
-- $1 board, $2 season, $3 the position behind which to begin, $4 limit, $5 the last position to return.
select s.position, s.rank, s.score, s.reached_at, s.player_id, s.name, s.class, s.level
from season_standings s
where s.board = $1 and s.start = $2 and s.position > $3 and s.position <= $5 and not s.hidden
order by s.position
limit $4

-- name: position
-- $1 board, $2 season, $3 player id: its position, hidden or not.
select s.position from season_standings s
where s.board = $1 and s.start = $2 and s.player_id = $3

-- name: hidden_ranks
-- $1 board, $2 season, $3 whether ranks are dense: the ranks by which everyone behind them moves up, ascending.
-- One row for each hidden player; with dense ranks one for each rank that no shown player has, which is so when neither
-- the next shown player before nor the next one behind a hidden player has its rank.
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
-- $1 board, $2 season, $3 position, $4 limit: the positions of shown players before it, nearest first.
select s.position from season_standings s
where s.board = $1 and s.start = $2 and s.position < $3 and not s.hidden
order by s.position desc
limit $4

-- name: players
-- $1 board, $2 season, $3 player ids: their standings, and as `behind` how many shown players have a worse rank: all
-- behind the last one with the same score, less those who are hidden.
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
-- $1 board, $2 season: how many players are shown.
select (select s.players from seasons s where s.board = $1 and s.start = $2)
     - (select count(*) from season_standings h where h.board = $1 and h.start = $2 and h.hidden) as total
