-- Tables: players_owned_slots, ledger, ledger_kept.

-- name: page
-- $1 slots, $2 player ids, $3 how many, $4 ids of the commands before which the pages begin, $5 how many rows are looked
-- at: the newest rows that took effect, by command id, a page for each element (slots/scanned_pages.py). What is kept of
-- partitions that were dropped is older than all that is left.
select n.number, coalesce(o.owned, false) as owned, true as found, l.page, l.last
from unnest($1::smallint[], $2::bigint[], $3::int[], $4::uuid[], $5::int[])
     with ordinality as n(slot, id, count, before, scanned, number)
left join players_owned_slots o on o.slot = n.slot
left join lateral (
    select '[' || string_agg(concat(
               '{"id":"', command_id, '","action":', to_json(action), ',"args":', args, ',"outcome":', outcome,
               ',"version":', version, ',"at":"', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"}'
           ), ',' order by command_id desc) filter (where seed >= 0) || ']' as page,
           max(command_id::text) filter (where place = n.scanned) as last
    from (
        select * from (
            select *, row_number() over (order by command_id desc) as place from (
                (select command_id, action, args, outcome, version, at, seed from ledger
                 where slot = n.slot and player_id = n.id and command_id < n.before
                 order by command_id desc limit n.scanned)
                union all
                (select command_id, action, args, outcome, version, at, seed from ledger_kept
                 where slot = n.slot and player_id = n.id and command_id < n.before
                 order by command_id desc limit n.scanned)
            ) as both_parts order by command_id desc limit n.scanned
        ) as looked_at where seed >= 0 or place = n.scanned order by command_id desc limit n.count
    ) as found
) l on o.owned
order by n.number
