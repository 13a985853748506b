-- Players with their keys, and changes of these, many at once. Tables: players, players_owned_slots, ledger, ledger_kept,
-- devices, credentials; of those who are deleted also friends, blocks, letter_counts, inbox, bans. Arguments are arrays of
-- equal length.

-- name: look
-- $1 slots, $2 player ids, $3 command ids or null, $4 and $5 the ranges of command ids that hold the players' sign-ups: a
-- row for each, in their order, whose columns of `players` are null if there is none of the id here, also no void one;
-- with the command's row in the ledger, the rows of `devices`, and the keys and time of the sign-up.
select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at,
       coalesce(o.owned, false) as owned, p.void, p.deleted, p.session_epoch, p.claims_epoch, clock_timestamp() as now,
       exists (select from credentials s where s.slot = n.slot and s.player_id = n.id) as has_password,
       l.action, l.args::text as args, l.outcome::text as outcome, l.version as recorded_version,
       d.keys as device_keys, d.labels, d.times, d.removed, f.keys as first_keys, f.at as first_at
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[])
     with ordinality as n(slot, id, command_id, low, high, number)
left join players_owned_slots o on o.slot = n.slot
left join players p on p.slot = n.slot and p.id = n.id
left join ledger l on l.slot = n.slot and l.player_id = n.id and l.command_id = n.command_id
left join lateral (
    select array_agg(v.key order by v.added_at) as keys, array_agg(v.label order by v.added_at) as labels,
           array_agg(v.added_at order by v.added_at) as times, array_agg(v.removed order by v.added_at) as removed
    from devices v where v.slot = n.slot and v.player_id = n.id
) d on true
left join lateral (
    (select (s.outcome -> 'keys')::text as keys, s.at from ledger s
     where s.slot = n.slot and s.player_id = n.id and s.command_id >= n.low and s.command_id < n.high
           and s.action = 'sign_up')
    union all
    (select (k.outcome -> 'keys')::text, k.at from ledger_kept k
     where k.slot = n.slot and k.player_id = n.id and k.command_id >= n.low and k.command_id < n.high
           and k.action = 'sign_up')
    limit 1
) f on true
order by n.number

-- name: lock
-- $1 slots, $2 player ids: those that could be locked at once, void ones too. A lock writes, so that the commit waits for
-- the standby.
select p.id
from unnest($1::smallint[], $2::bigint[]) as n(slot, id)
join players p on p.slot = n.slot and p.id = n.id
for no key update of p skip locked

-- name: void
-- $1 slots, $2 ids: rows that keep their ids from being inserted, where there are none yet.
insert into players (slot, id, name, class, level, hp, exp, version, session_epoch, void, created_at, exp_reached_at)
select n.slot, n.id, '', '', 0, 0, 0, 0, 0, true, to_timestamp(0), to_timestamp(0)
from unnest($1::smallint[], $2::bigint[]) as n(slot, id)
on conflict do nothing

-- name: change
-- $1 slots, $2 ids, $3 names, $4 versions, $5 session epochs, $6 whether void, $7 whether deleted.
update players p
set name = c.name, version = c.version, session_epoch = c.session_epoch, void = c.void, deleted = c.deleted,
    claims_epoch = p.claims_epoch + 1
from unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::int[], $6::boolean[], $7::boolean[])
     as c(slot, id, name, version, session_epoch, void, deleted)
where p.slot = c.slot and p.id = c.id

-- name: record
-- $1 slots, $2 player ids, $3 command ids, $4 actions, $5 arguments, $6 seeds, $7 outcomes, $8 versions, $9 times.
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at)
select l.slot, l.player_id, l.command_id, l.action, l.args, l.seed, l.outcome, l.version, l.at
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::json[], $6::bigint[], $7::json[], $8::bigint[],
            $9::timestamptz[]) as l(slot, player_id, command_id, action, args, seed, outcome, version, at)

-- name: forget_devices
-- $1 slots, $2 player ids, $3 keys.
delete from devices d using unnest($1::smallint[], $2::bigint[], $3::text[]) as g(slot, player_id, key)
where d.slot = g.slot and d.player_id = g.player_id and d.key = g.key

-- name: add_devices
-- $1 slots, $2 player ids, $3 keys, $4 labels, $5 times, $6 whether removed.
insert into devices (slot, player_id, key, label, added_at, removed)
select d.slot, d.player_id, d.key, d.label, d.added_at, d.removed
from unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[])
     as d(slot, player_id, key, label, added_at, removed)

-- name: forget_players
-- $1 slots, $2 player ids: what only the players themselves have needed. That letters were refused stays recorded, and so
-- do bans: one that hasn't ended ends here, with nothing to follow; who was banned stays hidden.
with gone(slot, player_id) as (select * from unnest($1::smallint[], $2::bigint[])),
     c as (delete from credentials t using gone g where t.slot = g.slot and t.player_id = g.player_id),
     d as (delete from devices t using gone g where t.slot = g.slot and t.player_id = g.player_id),
     f as (delete from friends t using gone g where t.slot = g.slot and t.player_id = g.player_id),
     b as (delete from blocks t using gone g where t.slot = g.slot and t.player_id = g.player_id),
     n as (delete from letter_counts t using gone g where t.slot = g.slot and t.player_id = g.player_id),
     e as (update bans t set ended_at = clock_timestamp(), settled = true from gone g
           where t.slot = g.slot and t.player_id = g.player_id and t.ended_at is null)
delete from inbox t using gone g where t.slot = g.slot and t.player_id = g.player_id and t.refused is null
