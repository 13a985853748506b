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

-- name: season
-- $1 board, $2 season: how many players its standings have, how often some were hidden or shown again, and the ties by
-- which they were counted (null before these were stored).
select s.players, s.hidden_changes, s.ties from seasons s
where s.board = $1 and s.start = $2 and s.players is not null

-- name: hidden
-- $1 board, $2 season: the positions and the ranks of hidden players, both ascending.
select coalesce(array_agg(h.position order by h.position), '{}') as positions,
       coalesce(array_agg(h.rank order by h.position), '{}') as ranks
from season_standings h
where h.board = $1 and h.start = $2 and h.hidden

-- name: emptied
-- $1 board, $2 season, whose ranks are dense: the ranks that no shown player has, ascending. Where ranks are dense, whoever
-- has the same rank has the same score.
select array(
    select d.rank
    from (select distinct h.rank, h.score from season_standings h where h.board = $1 and h.start = $2 and h.hidden) as d
    where not exists (
        select from season_standings s
        where s.board = $1 and s.start = $2 and s.score = d.score and not s.hidden)
    order by d.rank
)

-- name: before
-- $1 board, $2 season, $3 position, $4 limit: the positions of shown players before it, nearest first.
select s.position from season_standings s
where s.board = $1 and s.start = $2 and s.position < $3 and not s.hidden
order by s.position desc
limit $4

-- name: players
-- $1 board, $2 season, $3 player ids: their standings, and as `last` the position of the last one with the same score.
select s.position, s.rank, s.score, s.reached_at, s.player_id, s.name, s.class, s.level, last.position as last
from season_standings s
cross join lateral (
    select b.position from season_standings b
    where b.board = s.board and b.start = s.start and b.score = s.score
    order by b.position desc limit 1
) as last
where s.board = $1 and s.start = $2 and s.player_id = any($3::bigint[]) and not s.hidden
