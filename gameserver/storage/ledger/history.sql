-- Tables: players_owned_slots, ledger, ledger_kept.

-- name: page
-- $1 slots, $2 player ids, $3 how many, $4 ids of the commands before which the pages begin, or null: the newest rows
-- that took effect, by command id, a page for each element (slots/pages.py). What is kept of partitions that were
-- dropped is older than all that is left.
select n.number, coalesce(o.owned, false) as owned, l.command_id is not null as found,
       l.command_id::text as command_id, l.action, l.args::text as args, l.outcome::text as outcome, l.version, l.at
from unnest($1::smallint[], $2::bigint[], $3::int[], $4::uuid[]) with ordinality as n(slot, id, count, before, number)
left join players_owned_slots o on o.slot = n.slot
left join lateral (
    select * from (
        (select command_id, action, args, outcome, version, at from ledger
         where slot = n.slot and player_id = n.id and seed >= 0 and (n.before is null or command_id < n.before)
         order by command_id desc limit n.count)
        union all
        (select command_id, action, args, outcome, version, at from ledger_kept
         where slot = n.slot and player_id = n.id and seed >= 0 and (n.before is null or command_id < n.before)
         order by command_id desc limit n.count)
    ) as both_parts order by command_id desc limit n.count
) l on o.owned
order by n.number, l.command_id desc
