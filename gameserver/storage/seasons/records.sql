-- Changes of the standings in which seasons ended. Tables: season_standings, seasons.

-- name: hide
-- $1 player id, $2 whether it is hidden from now on. Who has read the standings of a season before sees by its number of
-- changes that they aren't the same any more; seasons are locked in their order, as two players may share several.
with standings as (
    update season_standings set hidden = $2 where player_id = $1 and hidden <> $2 returning board, start
), changed as (
    select s.board, s.start from seasons s join standings using (board, start)
    order by s.board, s.start for no key update of s
)
update seasons s set hidden_changes = s.hidden_changes + 1 from changed c where s.board = c.board and s.start = c.start
