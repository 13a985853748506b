-- Tables: players_owned_slots, inbox.

-- name: page
-- $1 slots, $2 player ids, $3 how many, $4 mail ids before which the pages begin, or null: the newest letters that weren't
-- refused, a page for each element (slots/pages.py).
select n.number, coalesce(o.owned, false) as owned, i.mail_id is not null as found,
       i.mail_id::text as mail_id, i.kind, i.sender, i.payload::text as payload, i.sent_at
from unnest($1::smallint[], $2::bigint[], $3::int[], $4::uuid[]) with ordinality as n(slot, id, count, before, number)
left join players_owned_slots o on o.slot = n.slot
left join lateral (
    select mail_id, kind, sender, payload, sent_at from inbox
    where slot = n.slot and player_id = n.id and refused is null and (n.before is null or mail_id < n.before)
    order by mail_id desc limit n.count
) i on o.owned
order by n.number, i.mail_id desc
