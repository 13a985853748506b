-- The statements of one group commit, in their order, and the reader's. Tables: players, players_owned_slots, ledger, scores,
-- season_floors.
-- Arguments are arrays of equal length, one element for each player ($slots, $ids) or ledger row.

-- name: gather
-- $1 slots, $2 player ids; $3 slots, $4 player ids, $5 command ids, $6 and $7 the lowest and highest of these (partitions
-- between them are read). A function of the database (migrations/players), four statements in one round trip: takes
-- the fence, locks the players, looks the commands up in the ledger, then says the batch's time and the edition of the
-- rules in force then. Rows without a command id are locked players; a player that is locked elsewhere, owned by another
-- database or void isn't returned. The others are ledger rows. The last row has no id: `now`, `edition` (0 before any
-- was published), and whether it is `decided` that this one is in force.
select * from gather_by_edition($1::smallint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::uuid[], $6::uuid, $7::uuid)

-- name: absent
-- $1 slots, $2 player ids: why `gather` didn't return these.
select wanted.id, p.id is not null and not p.void as exists, coalesce(o.owned, false) as owned
from unnest($1::smallint[], $2::bigint[]) as wanted(slot, id)
left join players p on p.slot = wanted.slot and p.id = wanted.id
left join players_owned_slots o on o.slot = wanted.slot

-- name: write
-- $1 the batch's time.
-- $2..$9 a ledger row each: slot, player id, command id, action, args, seed, outcome, version.
-- $10..$17 a player each: slot, id, class, level, hp, exp, version, data. $18 the number of the rulebook, or null.
with entries as (
    insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at, txid, rules)
    select e.*, $1::timestamptz, (select pg_current_xact_id()::text::bigint), $18::smallint
    from unnest($2::smallint[], $3::bigint[], $4::uuid[], $5::text[], $6::json[], $7::bigint[], $8::json[],
                $9::bigint[]) as e
)
update players p
set class = s.class, level = s.level, hp = s.hp, exp = s.exp, version = s.version, data = s.data,
    exp_reached_at = case when p.exp = s.exp then p.exp_reached_at else $1::timestamptz end,
    level_reached_at = case when p.level = s.level then p.level_reached_at else $1::timestamptz end
from unnest($10::smallint[], $11::bigint[], $12::text[], $13::int[], $14::bigint[], $15::bigint[], $16::bigint[],
            $17::json[]) as s(slot, id, class, level, hp, exp, version, data)
where p.slot = s.slot and p.id = s.id

-- name: trace
-- $1 the batch's time. $2..$4 a traced action each: player id, version, and its span's context, which is how the follower
-- of the ledger, on any node, links the board's write to it. Table: traced_actions.
insert into traced_actions (txid, player_id, version, context, at)
select (select pg_current_xact_id()::text::bigint), e.*, $1::timestamptz
from unnest($2::bigint[], $3::bigint[], $4::bytea[]) as e

-- name: score
-- $1 the batch's time. $2..$7 a score each: slot, player id, board, season, amount, version. Boards in $8 add scores up,
-- boards in $9 keep the highest, boards in $10 the lowest, others the last. Amounts are no larger than scores may be, and
-- neither is what becomes of them. A score for a season that has ended here
-- goes to the next one (season_floors). Season 0 is all time: it is never replaced, also on a board that once had
-- seasons.
insert into scores as s (slot, player_id, board, season, score, reached_at, version)
select e.slot, e.player_id, e.board, case when e.season = 0 then 0 else greatest(e.season, f.season) end, e.amount,
       $1::timestamptz, e.version
from unnest($2::smallint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
     as e(slot, player_id, board, season, amount, version)
left join season_floors f on f.slot = e.slot and f.board = e.board
on conflict (slot, player_id, board, season) do update
set (score, reached_at, version) = (
    select new.score, case when new.score = s.score then s.reached_at else excluded.reached_at end, excluded.version
    from (select greatest(-9007199254740991, least(9007199254740991, case
        when s.score is null then excluded.score
        when s.board = any($8::text[]) then s.score + excluded.score
        when s.board = any($9::text[]) then greatest(s.score, excluded.score)
        when s.board = any($10::text[]) then least(s.score, excluded.score)
        else excluded.score end))) as new(score)
)

-- name: set_score
-- $1 the batch's time. $2..$7 a score each, as an operator's correction leaves it: slot, player id, board, season, score
-- or null (the player leaves that board), version. Seasons that have ended here stay as they are.
insert into scores as s (slot, player_id, board, season, score, reached_at, version)
select e.slot, e.player_id, e.board, e.season, e.score, $1::timestamptz, e.version
from unnest($2::smallint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
     as e(slot, player_id, board, season, score, version)
left join season_floors f on f.slot = e.slot and f.board = e.board
where e.season = 0 or e.season >= coalesce(f.season, 0)
on conflict (slot, player_id, board, season) do update
set score = excluded.score, version = excluded.version,
    reached_at = case when s.score = excluded.score then s.reached_at else excluded.reached_at end

-- name: read
-- $1 slots, $2 player ids: a row for each; its columns of `players` are null if no such player exists here.
select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at,
       coalesce(o.owned, false) as owned, wanted.id as wanted_id, p.session_epoch
from unnest($1::smallint[], $2::bigint[]) as wanted(slot, id)
left join players_owned_slots o on o.slot = wanted.slot
left join players p on p.slot = wanted.slot and p.id = wanted.id and not p.void
