-- Letters to many players. Tables: campaigns.

-- name: insert
-- $1 id, $2 admin, $3 reason, $4 filter, $5 text, $6 items, $7 how many were counted, $8 state.
insert into campaigns (id, admin, reason, filter, text, items, counted, state)
values ($1::uuid, $2, $3, $4::json, $5, $6::json, $7, $8)
on conflict (id) do nothing

-- name: find
-- $1 id.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, arrived, refused, postponed, owed
from campaigns where id = $1::uuid

-- name: list
-- $1 limit: the newest first.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, arrived, refused, postponed, owed
from campaigns order by at desc, id desc limit $1

-- name: due
-- $1 seconds after the start before which nothing is sent, $2 limit: what is to be sent, the oldest first.
select id::text, admin, reason, filter::text, text, items::text, counted, state, agreed_by, at, changed_at, slot, after,
       pending, arrived, refused, postponed, owed
from campaigns
where (state = 'running' or pending is not null or owed <> '{}')
  and changed_at <= clock_timestamp() - case when slot = 0 and after = 0 and pending is null then $1::float8 else 0 end
      * interval '1 second'
order by at limit $2

-- name: progress
-- What isn't over: how many wait and run, how many letters the running ones have left, and the seconds since the one
-- that is slowest got anywhere.
select count(*) filter (where state = 'waiting') as waiting,
       count(*) filter (where state = 'running' or pending is not null) as running,
       coalesce(sum(greatest(counted - arrived - refused, 0)) filter (where state = 'running'), 0)::bigint as letters_left,
       coalesce(max(extract(epoch from clock_timestamp() - changed_at))
                filter (where state = 'running' or pending is not null), 0)::float8 as age_seconds
from campaigns where state in ('waiting', 'running') or pending is not null

-- name: agree
-- $1 id, $2 admin, $3 seconds since the start after which it is too late.
update campaigns set state = 'running', agreed_by = $2, changed_at = clock_timestamp()
where id = $1::uuid and state = 'waiting' and at > clock_timestamp() - $3::float8 * interval '1 second'
returning 1

-- name: revoke
-- $1 id.
update campaigns set state = 'revoked', changed_at = clock_timestamp()
where id = $1::uuid and state in ('waiting', 'running')
returning 1

-- name: begin
-- $1 id, $2 slot and $3 player at which the page begins, $4 the page, $5 and $6 where it ends, $7 what was postponed and
-- $8 what is now. A revoked one has no more.
update campaigns set pending = $4::bigint[], next_slot = $5, next_after = $6, postponed = $8::bigint[]
where id = $1::uuid and state = 'running' and pending is null and slot = $2 and after = $3 and postponed = $7::bigint[]
returning 1

-- name: skip
-- As `begin`, of a page without players.
update campaigns set slot = $4, after = $5, postponed = $7::bigint[], changed_at = clock_timestamp()
where id = $1::uuid and state = 'running' and pending is null and slot = $2 and after = $3 and postponed = $6::bigint[]
returning 1

-- name: settle
-- $1 id, $2 the page, $3 how many letters arrived, $4 how many were refused for good, $5 those that haven't ended,
-- $6 how many may be owed.
update campaigns set pending = null, slot = next_slot, after = next_after, owed = owed || $5::bigint[],
                     arrived = arrived + $3, refused = refused + $4, changed_at = clock_timestamp()
where id = $1::uuid and pending = $2::bigint[]
  and (cardinality($5::bigint[]) = 0 or cardinality(owed) + cardinality($5::bigint[]) <= $6)
returning 1

-- name: settle_owed
-- $1 id, $2 who was owed a letter, $3 how many arrived, $4 how many were refused for good, $5 who is owed one still.
update campaigns set owed = $5::bigint[], arrived = arrived + $3, refused = refused + $4, changed_at = clock_timestamp()
where id = $1::uuid and owed = $2::bigint[]
returning 1

-- name: finish
-- $1 id, $2 slot and $3 player up to which everyone has been written to.
update campaigns set state = 'done', changed_at = clock_timestamp()
where id = $1::uuid and state = 'running' and pending is null and slot = $2 and after = $3
  and postponed = '{}' and owed = '{}'
returning 1
