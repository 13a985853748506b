-- Tables: players_owned_slots, ledger.

-- name: newest
-- $1 slots, $2 player ids, $3 how many rows are looked at, $4 how many are wanted: of each player's newest rows by command
-- id those of the highest versions that took effect (slots/pages.py), as the answer has them. The database writes them:
-- read value by value, they cost a node far more.
select n.number, coalesce(o.owned, false) as owned, l.version is not null as found, l.version,
       concat(
           '{"version":', l.version, ',"command_id":"', l.command_id, '","action":', to_json(l.action),
           ',"events":', l.outcome -> 'events',
           ',"at":"', to_char(l.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '"}'
       ) as entry
from unnest($1::smallint[], $2::bigint[], $3::int[], $4::int[]) with ordinality as n(slot, id, scanned, count, number)
left join players_owned_slots o on o.slot = n.slot
left join lateral (
    select * from (
        select command_id, action, outcome, version, at, seed from ledger
        where slot = n.slot and player_id = n.id order by command_id desc limit n.scanned
    ) as looked_at where seed >= 0 order by version desc limit n.count
) l on o.owned
order by n.number, l.version desc
