-- Tables: players_owned_slots, inbox.

-- name: page
-- $1 slots, $2 player ids, $3 how many, $4 mail ids before which the pages begin: the newest letters that weren't refused,
-- a page for each element, as one JSON array (null without any).
select n.number, coalesce(o.owned, false) as owned, true as found, i.page
from unnest($1::smallint[], $2::bigint[], $3::int[], $4::uuid[]) with ordinality as n(slot, id, count, before, number)
left join players_owned_slots o on o.slot = n.slot
left join lateral (
    select '[' || string_agg(concat(
               '{"id":"', mail_id, '","kind":', to_json(kind), ',"sender":', sender, ',"payload":', payload,
               ',"sent_at":"', to_char(sent_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"}'
           ), ',' order by mail_id desc) || ']' as page
    from (
        -- By the index `inbox_shown`: of the refused ones there may be any number.
        select mail_id, kind, sender, payload, sent_at from inbox
        where slot = n.slot and player_id = n.id and mail_id < n.before and refused is null
        order by mail_id desc limit n.count
    ) as found
) i on o.owned
order by n.number

-- name: forget
-- $1 slots, $2 player ids, $3 mail ids, arrays of equal length; null for every letter that the player sees.
with n as (select * from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as n(slot, id, mail_id)),
     every as (delete from inbox i using n
               where n.mail_id is null and i.slot = n.slot and i.player_id = n.id and i.refused is null)
delete from inbox i using n
where i.slot = n.slot and i.player_id = n.id and i.mail_id = n.mail_id and i.refused is null
