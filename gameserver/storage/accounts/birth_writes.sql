-- Players of many sign-ups at once. Tables: players, ledger, credentials. Arguments are arrays of equal length, one
-- element for each player.

-- name: make
-- $1 slots, $2 ids, $3 command ids, $4 names, $5 classes, $6 levels, $7 hp, $8 exp, $9 times, $10 whether void, $11 how
-- old a command id may be, in milliseconds: a row for each that was written, or is too old, by the time in `expired_at`.
-- Where a row with the id exists, also a void one, nothing is written.
with lowest as (
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint - $11::bigint), 12, '0')
            || repeat('0', 20))::uuid as command_id
), born as (
    insert into players
        (slot, id, name, class, level, hp, exp, version, session_epoch, void, created_at, exp_reached_at)
    select p.slot, p.id, p.name, p.class, p.level, p.hp, p.exp, 1 - p.void::int, 0, p.void, p.at, p.at
    from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::bigint[],
                $9::timestamptz[], $10::boolean[]) as p(slot, id, command_id, name, class, level, hp, exp, at, void)
    where p.command_id >= (select command_id from lowest)
    on conflict do nothing
    returning id
)
select id, null::timestamptz as expired_at from born
union all
select n.id, clock_timestamp() from unnest($2::bigint[], $3::uuid[]) as n(id, command_id)
where n.command_id < (select command_id from lowest)

-- name: record
-- $1 slots, $2 player ids, $3 command ids, $4 times, $5 arguments, $6 outcomes, $7 password hashes or
-- null, $8 seeds; $9 the number of the rulebook, or null.
with secured as (
    insert into credentials (slot, player_id, password_hash)
    select c.slot, c.player_id, c.password_hash
    from unnest($1::smallint[], $2::bigint[], $7::text[]) as c(slot, player_id, password_hash)
    where c.password_hash is not null
)
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at, rules)
select l.slot, l.player_id, l.command_id, 'sign_up', l.args, l.seed, l.outcome, 1, l.at, $9::smallint
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::json[], $6::json[],
            $8::bigint[]) as l(slot, player_id, command_id, at, args, outcome, seed)

-- name: known
-- $1 slots, $2 player ids, $3 command ids: whether the database owns the slot, and whether its ledger has the command.
select n.player_id, n.command_id::text, coalesce(o.owned, false) as owned,
       exists (
         select from ledger l
         where l.slot = n.slot and l.player_id = n.player_id and l.command_id = n.command_id
       ) as known
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as n(slot, player_id, command_id)
left join players_owned_slots o on o.slot = n.slot
