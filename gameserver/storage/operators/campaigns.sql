-- Letters to many players. Tables: campaigns; admin_keys, of which it reads who made them.

-- name: insert
-- $1 id, $2 admin, $3 reason, $4 filter, $5 text, $6 items, $7 how many were counted, $8 state.
insert into campaigns (id, admin, reason, filter, text, items, counted, state)
values ($1::uuid, $2, $3, $4::json, $5, $6::json, $7, $8)
on conflict (id) do nothing

-- name: find
-- $1 id.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, slot = next_slot and after = next_after as is_tried, arrived, refused, postponed
from campaigns where id = $1::uuid

-- name: open
-- $1 limit: what isn't over, the newest first.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, slot = next_slot and after = next_after as is_tried, arrived, refused, postponed
from campaigns where state in ('waiting', 'running') or pending is not null order by at desc, id desc limit $1

-- name: over
-- $1 limit, $2 one of them or null: what is over, the newest first, or what was begun before that one.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, slot = next_slot and after = next_after as is_tried, arrived, refused, postponed
from campaigns
where state not in ('waiting', 'running') and pending is null
  and ($2::uuid is null or (at, id) < (select c.at, c.id from campaigns c where c.id = $2::uuid))
order by at desc, id desc limit $1

-- name: due
-- $1 seconds after the start before which nothing is sent, $2 limit: what is to be sent, the oldest first, and behind all
-- others what has slots or letters that wait.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, slot = next_slot and after = next_after as is_tried, arrived, refused, postponed
from campaigns
where (state = 'running' or pending is not null)
  and changed_at <= clock_timestamp() - case when slot = 0 and after = 0 and pending is null then $1::float8 else 0 end
      * interval '1 second'
order by postponed <> '{}' or (pending is not null and slot = next_slot and after = next_after), at limit $2

-- name: progress
-- What isn't over: how many wait and run, how many letters the running ones have left, and the seconds since the one
-- that is slowest got anywhere.
select count(*) filter (where state = 'waiting') as waiting,
       count(*) filter (where state = 'running' or pending is not null) as running,
       coalesce(sum(greatest(counted - arrived - refused, 0)) filter (where state = 'running'), 0)::bigint as letters_left,
       coalesce(max(extract(epoch from clock_timestamp() - changed_at))
                filter (where state = 'running' or pending is not null), 0)::float8 as age_seconds
from campaigns where state in ('waiting', 'running') or pending is not null

-- name: hand
-- $1 and $2 operators, $3 the names of the settings' keys, $4 seconds: who may have both of their keys, being one of them or
-- having made or rotated both, itself or through others. Who has made a key has it for so long, and while it opens the door:
-- a rotation by the key itself proves nothing sooner, as its maker can order that, too. Accounts of the operating system that
-- made both don't count: who has the command line has the database.
with recursive made as (
    select name::text, made_by::text from admin_keys
    where made_by <> name and (made_at > clock_timestamp() - $4::float8 * interval '1 second'
                               or revoked_at is null and (expires_at is null or expires_at > clock_timestamp()))
), hands as (
    select * from (values ($1::text, 1), ($2::text, 2)) as operators (name, side)
    union
    select made.made_by, hands.side from hands join made using (name)
    where made.made_by in ($1, $2) or made.made_by = any($3::text[])
        or exists (select from admin_keys k where k.name = made.made_by)
)
select name from hands group by name having count(*) = 2 order by name = $1 desc, name = $2 desc, name limit 1

-- name: agree
-- $1 id, $2 admin, $3 seconds of waiting after which it is too late. Who started it has confirmed it, which is no agreement.
update campaigns set state = 'running', agreed_by = nullif($2, admin), changed_at = clock_timestamp()
where id = $1::uuid and state = 'waiting' and changed_at > clock_timestamp() - $3::float8 * interval '1 second'
returning 1

-- name: hold
-- $1 id, $2 how many were counted now, $3 slot and $4 player at which the next page would begin, $5 who is under way.
update campaigns set state = 'waiting', counted = $2, changed_at = clock_timestamp()
where id = $1::uuid and state = 'running' and agreed_by is null and slot = $3 and after = $4
  and pending is not distinct from $5::bigint[]
returning 1

-- name: revoke
-- $1 id.
update campaigns set state = 'revoked', changed_at = clock_timestamp()
where id = $1::uuid and state in ('waiting', 'running')
returning 1

-- name: begin
-- $1 id, $2 slot and $3 player at which the page begins, $4 who was under way, $5 the page's players, perhaps none, $6 and
-- $7 where it ends, $8 what was postponed and $9 what is now. A revoked one has no more.
update campaigns set pending = nullif(coalesce(pending, '{}') || $5::bigint[], '{}'), next_slot = $6, next_after = $7,
                     slot = case when $5::bigint[] = '{}' then $6 else slot end,
                     after = case when $5::bigint[] = '{}' then $7 else after end,
                     postponed = $9::bigint[], changed_at = clock_timestamp()
where id = $1::uuid and state = 'running' and slot = $2 and after = $3 and pending is not distinct from $4::bigint[]
  and postponed = $8::bigint[]
returning 1

-- name: settle
-- $1 id, $2 who is under way, $3 those of them whose letters haven't ended, $4 how many letters arrived, $5 how many were
-- refused for good. What waits goes on waiting since the moment at which it began to.
update campaigns set pending = nullif($3::bigint[], '{}'), slot = next_slot, after = next_after,
                     arrived = arrived + $4, refused = refused + $5,
                     changed_at = case when $4 + $5 > 0 and state <> 'waiting' then clock_timestamp() else changed_at end
where id = $1::uuid and pending = $2::bigint[]
returning 1

-- name: finish
-- $1 id, $2 slot and $3 player up to which everyone has been written to.
update campaigns set state = 'done', changed_at = clock_timestamp()
where id = $1::uuid and state = 'running' and pending is null and slot = $2 and after = $3 and postponed = '{}'
returning 1
