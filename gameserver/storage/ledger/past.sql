-- What a correction reads of a player's past. Tables: ledger, ledger_kept, players, scores.
-- :slot and :id the player, in each.

-- name: command
-- :command_id: the row of a command that took effect, and also one that was refused.
select cast(command_id as text) as command_id, action, cast(args as text) as args, cast(outcome as text) as outcome,
       version, at, seed, rules
from ledger where slot = :slot and player_id = :id and command_id = cast(:command_id as uuid)

-- name: both
-- A part of other statements: all that is left of the player's rows. What is kept of partitions that were dropped is older
-- than the rest; while one is being dropped, a row may be in both.
select command_id, action, args, outcome, version, at, seed, rules from ledger where slot = :slot and player_id = :id
union all
select command_id, action, args, outcome, version, at, seed, rules from ledger_kept where slot = :slot and player_id = :id

-- name: near
-- A part of other statements. :near a command id, :below and :above how many rows are looked at on both sides of it, in each
-- table: a limit of both together would have all of them sorted first.
(select command_id, action, args, outcome, version, at, seed, rules from ledger
 where slot = :slot and player_id = :id and command_id <= cast(:near as uuid) order by command_id desc limit :below)
union all
(select command_id, action, args, outcome, version, at, seed, rules from ledger
 where slot = :slot and player_id = :id and command_id > cast(:near as uuid) order by command_id limit :above)
union all
(select command_id, action, args, outcome, version, at, seed, rules from ledger_kept
 where slot = :slot and player_id = :id and command_id <= cast(:near as uuid) order by command_id desc limit :below)
union all
(select command_id, action, args, outcome, version, at, seed, rules from ledger_kept
 where slot = :slot and player_id = :id and command_id > cast(:near as uuid) order by command_id limit :above)

-- name: version_at
-- :moment: the version that the player had then; null if it is younger, or if no row is that old any more.
select max(version) from ({both}) as both_parts where seed >= 0 and at <= :moment

-- name: rows
-- :first and :last versions, :limit how many: rows that took effect, from the newest.
select distinct on (version) cast(command_id as text) as command_id, action, cast(args as text) as args,
    cast(outcome as text) as outcome, version, at, seed, rules
from ({both}) as both_parts where seed >= 0 and version between :first and :last
order by version desc limit :limit

-- name: corrections
-- Everything that has undone something, from the newest, by the index `ledger_corrections`.
select cast(command_id as text) as command_id, action, cast(args as text) as args, cast(outcome as text) as outcome,
       version, at, seed, rules
from ledger
where slot = :slot and player_id = :id and seed >= 0 and action in ('operator:undo', 'operator:roll_back')
order by version desc

-- name: versions
-- :ids command ids: the versions that those led to of which there are rows.
select distinct cast(command_id as text) as command_id, version
from ({both}) as both_parts where seed >= 0 and command_id = any(cast(:ids as uuid[]))

-- name: timeline
-- :limit, :before a command id, :scanned how many rows are looked at, :actions (empty for all), :since and :until moments or
-- null: the newest rows that took effect and fit, by command id (slots/scanned_pages.py).
select cast(command_id as text) as command_id, action, cast(args as text) as args, cast(outcome as text) as outcome,
       version, at, seed, rules, fits, place = :scanned as is_last
from (
    select *, seed >= 0
            and (cardinality(cast(:actions as text[])) = 0 or action = any(cast(:actions as text[])))
            and (cast(:since as timestamptz) is null or at >= :since)
            and (cast(:until as timestamptz) is null or at < :until) as fits,
        row_number() over (order by command_id desc) as place
    from (
        (select command_id, action, args, outcome, version, at, seed, rules from ledger
         where slot = :slot and player_id = :id and command_id < cast(:before as uuid)
         order by command_id desc limit :scanned)
        union all
        (select command_id, action, args, outcome, version, at, seed, rules from ledger_kept
         where slot = :slot and player_id = :id and command_id < cast(:before as uuid)
         order by command_id desc limit :scanned)
    ) as both_parts order by command_id desc limit :scanned
) as looked_at where fits or place = :scanned order by looked_at.command_id desc limit :limit

-- name: version_near
-- :moment: the version that the player had then, and the one that followed, by rows near :near alone.
select max(version) filter (where at <= :moment) as version, min(version) filter (where at > :moment) as following
from ({near}) as looked_at where seed >= 0

-- name: rows_near
-- What `rows` finds, among rows near :near.
select distinct on (version) cast(command_id as text) as command_id, action, cast(args as text) as args,
    cast(outcome as text) as outcome, version, at, seed, rules
from ({near}) as looked_at where seed >= 0 and version between :first and :last
order by version desc limit :limit

-- name: data_near
-- :version: what `data` finds among rows near :near, or null; `gapless` says whether these have every version from there,
-- or from the first, to :version, so that none that matters is missing.
with looked_at as (
    select version, outcome -> 'data' as data from ({near}) as both_sides where seed >= 0 and version <= :version
), newest as (select version, data from looked_at where data is not null order by version desc limit 1)
select cast((select data from newest) as text) as data,
    count(distinct version) filter (where version > since) = cast(:version as bigint) - since as gapless
from looked_at cross join (select coalesce((select version from newest), 0) as since) as found group by since

-- name: data
-- :version: what the rules remembered of the player when it had that version, and the version of the row that says so.
select cast(outcome -> 'data' as text) as data, version from ({both}) as both_parts
where seed >= 0 and version <= :version and outcome -> 'data' is not null
order by version desc limit 1

-- name: player
-- The player as it is, with its data.
select id, name, class, level, hp, exp, version, created_at, exp_reached_at, cast(data as text) as data, banned from players
where slot = :slot and id = :id and not void

-- name: seen
-- The beginning of the hour in which the player was last seen; until one is noted, of that of its last EXP.
select coalesce(seen, date_bin('1 hour', exp_reached_at, timestamptz 'epoch')) as seen from players
where slot = :slot and id = :id

-- name: scores
-- The scores that the player has on boards that store them.
select board, season, score from scores where slot = :slot and player_id = :id and score is not null
