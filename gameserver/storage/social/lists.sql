-- Changes of many players' friends and blocks. Tables: friends, blocks. Arguments are arrays of equal length, one
-- element for each change.

-- name: look
-- $1 slots, $2 player ids, $3 names of lists, $4 ids of others: for each, in their order, whether the list has the other,
-- and how many it has.
select case n.list when 'friends'
         then exists (select from friends f where f.slot = n.slot and f.player_id = n.id and f.friend_id = n.other)
         else exists (select from blocks b where b.slot = n.slot and b.player_id = n.id and b.blocked_id = n.other)
       end as present,
       case n.list when 'friends'
         then (select count(*) from friends f where f.slot = n.slot and f.player_id = n.id)
         else (select count(*) from blocks b where b.slot = n.slot and b.player_id = n.id)
       end as count
from unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[]) with ordinality as n(slot, id, list, other, number)
order by n.number

-- name: add
-- $1 slots, $2 player ids, $3 names of lists, $4 ids of others.
with n as (select * from unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[]) as n(slot, id, list, other)),
     f as (insert into friends (slot, player_id, friend_id, added_at)
           select slot, id, other, clock_timestamp() from n where list = 'friends')
insert into blocks (slot, player_id, blocked_id, added_at)
select slot, id, other, clock_timestamp() from n where list = 'blocks'

-- name: remove
-- $1 slots, $2 player ids, $3 names of lists, $4 ids of others.
with n as (select * from unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[]) as n(slot, id, list, other)),
     f as (delete from friends t using n
           where n.list = 'friends' and t.slot = n.slot and t.player_id = n.id and t.friend_id = n.other)
delete from blocks t using n
where n.list = 'blocks' and t.slot = n.slot and t.player_id = n.id and t.blocked_id = n.other
