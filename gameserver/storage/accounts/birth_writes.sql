-- Players of many sign-ups at once. Tables: players, ledger, credentials, players_editions. Arguments are arrays of equal
-- length, one element for each player.

-- name: make
-- $1 slots, $2 ids, $3 command ids, $4 names, $5 classes, $6 levels, $7 hp, $8 exp, $9 times, $10 whether void, $11 the
-- edition of the rules that each was made by, $12 how old a command id may be, in milliseconds: a row for each that was
-- written, that is too old, by the time in `expired_at`, or that was made by `other_rules` than are in force at its time.
-- Where a row with the id exists, also a void one, nothing is written.
with lowest as (
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint - $12::bigint), 12, '0')
            || repeat('0', 20))::uuid as command_id
), wanted as materialized (
    select p.*, p.edition = coalesce(f.edition, 0) and coalesce(f.state = 'ordered', true) as by_these_rules
    from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::bigint[],
                $9::timestamptz[], $10::boolean[], $11::int[])
         as p(slot, id, command_id, name, class, level, hp, exp, at, void, edition)
    left join lateral (
        select r.edition, r.state from players_editions r
        where r.at <= p.at and r.state <> 'cancelled'
        order by r.edition desc limit 1
    ) f on true
), born as (
    insert into players
        (slot, id, name, class, level, hp, exp, version, session_epoch, void, created_at, exp_reached_at, seen)
    select p.slot, p.id, p.name, p.class, p.level, p.hp, p.exp, 1 - p.void::int, 0, p.void, p.at, p.at,
           date_bin(interval '1 hour', p.at, timestamptz 'epoch')
    from wanted p
    where p.by_these_rules and p.command_id >= (select command_id from lowest)
    on conflict do nothing
    returning id
)
select id, null::timestamptz as expired_at, false as other_rules from born
union all
select n.id, clock_timestamp(), not n.by_these_rules from wanted n
where not n.by_these_rules or n.command_id < (select command_id from lowest)

-- name: record
-- $1 slots, $2 player ids, $3 command ids, $4 times, $5 arguments, $6 outcomes, $7 password hashes or
-- null, $8 seeds, $9 the numbers of the rulebooks, or null.
with secured as (
    insert into credentials (slot, player_id, password_hash)
    select c.slot, c.player_id, c.password_hash
    from unnest($1::smallint[], $2::bigint[], $7::text[]) as c(slot, player_id, password_hash)
    where c.password_hash is not null
)
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at, rules)
select l.slot, l.player_id, l.command_id, 'sign_up', l.args, l.seed, l.outcome, 1, l.at, l.rules
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::json[], $6::json[],
            $8::bigint[], $9::smallint[]) as l(slot, player_id, command_id, at, args, outcome, seed, rules)

-- name: known
-- $1 slots, $2 player ids, $3 command ids: whether the database owns the slot, and whether its ledger has the command.
select n.player_id, n.command_id::text, coalesce(o.owned, false) as owned,
       exists (
         select from ledger l
         where l.slot = n.slot and l.player_id = n.player_id and l.command_id = n.command_id
       ) as known
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as n(slot, player_id, command_id)
left join players_owned_slots o on o.slot = n.slot
