-- Reads of standings in which seasons ended. Table: season_standings. Who is hidden isn't there, and those behind him
-- are a rank better.

-- name: page
-- $1 board, $2 season, $3 position after which to go on, $4 how many, $5 the last position that is shown.
select s.position, s.rank, s.score, s.reached_at, s.player_id, s.name, s.class, s.level,
       (select count(*) from season_standings h
        where h.board = s.board and h.start = s.start and h.hidden and h.rank < s.rank) as gone
from season_standings s
where s.board = $1 and s.start = $2 and s.position > $3 and s.position <= $5 and not s.hidden
order by s.position
limit $4

-- name: before
-- $1 board, $2 season, $3 position, $4 how many: the positions before it, the nearest first.
select s.position from season_standings s
where s.board = $1 and s.start = $2 and s.position < $3 and not s.hidden
order by s.position desc
limit $4

-- name: players
-- $1 board, $2 season, $3 player ids: where they stand, and how many of those who are shown have a worse rank.
select s.position, s.rank, s.score, s.reached_at, s.player_id, s.name, s.class, s.level,
       (select count(*) from season_standings h
        where h.board = s.board and h.start = s.start and h.hidden and h.rank < s.rank) as gone,
       (select count(*) from season_standings b
        where b.board = s.board and b.start = s.start and not b.hidden and b.position > s.position
          and b.score <> s.score) as behind
from season_standings s
where s.board = $1 and s.start = $2 and s.player_id = any($3::bigint[]) and not s.hidden

-- name: total
select (select s.players from seasons s where s.board = $1 and s.start = $2)
     - (select count(*) from season_standings h where h.board = $1 and h.start = $2 and h.hidden) as total
