-- What crossed between a database that was restored and the others. Tables: players_owned_slots, items_owned_slots,
-- players, ledger, inbox, outbox, item_ledger, claims, scores, season_floors, seasons, season_standings, campaigns,
-- audit, audit_ends. Slots of recipients are those of the restored database. `{table}` is read from block $1 to block $2,
-- both as (block, 0); where a key is named, the rows behind it are read, and those that aren't `wanted` only tell how far.

-- name: blocks
-- $1 a table: how many blocks it has.
select pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint

-- name: weeks_since
-- $1 the name of a partition: that one of the ledger and the later ones.
select inhrelid::regclass::text as name from pg_inherits
where inhparent = 'ledger'::regclass and inhrelid::regclass::text >= $1 order by name

-- name: players_slots
-- The slots of players that the database owns.
select slot from players_owned_slots where owned order by slot

-- name: items_slots
-- The slots of items that the database owns.
select slot from items_owned_slots where owned order by slot

-- name: sent
-- $3 since, $4 slots of recipients: letters sent since then that don't wait in the outbox.
select l.player_id as sender, e.recipient, e.kind, e.mail_id, l.at
from {table} l
join players_owned_slots o on o.slot = l.slot and o.owned
cross join lateral (
    select case when v.event ->> 'type' = 'mail_sent' then (v.event ->> 'to')::bigint end as recipient,
           v.event ->> 'kind' as kind, v.event ->> 'mail_id' as mail_id
    from json_array_elements(l.outcome -> 'events') as v(event)
) as e
where l.ctid >= $1::tid and l.ctid < $2::tid and l.at >= $3 and l.seed >= 0
  and ((e.recipient >> 10) & 4095) = any($4::int[])
  and not exists (
      select from outbox b
      where b.slot = l.slot and b.player_id = l.player_id and b.command_id = l.command_id and b.recipient = e.recipient
  )

-- name: arrived
-- $1 slots, $2 recipients, $3 mail ids: those of the letters that took effect here or were refused for good.
select n.mail_id::text as mail_id
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as n(slot, player_id, mail_id)
where exists (select from ledger l where l.slot = n.slot and l.player_id = n.player_id and l.command_id = n.mail_id)
   or exists (select from inbox i where i.slot = n.slot and i.player_id = n.player_id and i.mail_id = n.mail_id)

-- name: received
-- $3 since, $4 slots of senders: letters of other players that arrived here since then. In words that suit no index,
-- which would be read whole for each piece.
select i.sender, i.player_id as recipient, i.kind, i.mail_id::text as mail_id, i.at
from {table} i
join players_owned_slots o on o.slot = i.slot and o.owned
where i.ctid >= $1::tid and i.ctid < $2::tid and i.at >= $3 and (i.refused is null)::int = 1 and i.sender <> 0
  and ((i.sender >> 10) & 4095) = any($4::int[])

-- name: posted
-- $1 slots, $2 senders, $3 the lowest command id, $4 mail ids: those of the letters that the senders sent.
select distinct e.event ->> 'mail_id' as mail_id
from (select distinct * from unnest($1::smallint[], $2::bigint[]) as s(slot, player_id)) as n
join ledger l on l.slot = n.slot and l.player_id = n.player_id and l.command_id >= $3::uuid
cross join lateral json_array_elements(l.outcome -> 'events') as e(event)
where e.event ->> 'type' = 'mail_sent' and e.event ->> 'mail_id' = any($4::text[])

-- name: settled
-- $3 since, $4 slots of players: what commands took or were granted here since then.
select l.slot, l.player_id, l.command_id::text as command_id, l.kind, l.items::text as items, l.at
from {table} l
join items_owned_slots o on o.slot = l.slot and o.owned
where l.ctid >= $1::tid and l.ctid < $2::tid and l.at >= $3 and l.settled and l.slot = any($4::int[])

-- name: committed
-- $1 slots, $2 players, $3 command ids: those of the commands that are in the ledger.
select n.command_id::text as command_id
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as n(slot, player_id, command_id)
join ledger l on l.slot = n.slot and l.player_id = n.player_id and l.command_id = n.command_id and l.seed >= 0

-- name: reopen
-- $1 slots, $2 players, $3 command ids: opens settled payments again, so that the ledger is asked once more.
update item_ledger l set settled = false
from unnest($1::smallint[], $2::bigint[], $3::uuid[]) as n(slot, player_id, command_id)
where l.slot = n.slot and l.player_id = n.player_id and l.command_id = n.command_id and l.kind = 'take'

-- name: exchanged
-- $3 since, $4 slots of items: what commands took from or granted to another database since then, without grants that
-- wait in the outbox.
select l.slot, l.player_id, l.command_id::text as command_id, l.at,
       case e.event ->> 'type' when 'items_taken' then 'take' else 'grant' end as kind,
       (e.event -> 'items')::text as items
from {table} l
join players_owned_slots o on o.slot = l.slot and o.owned
cross join lateral json_array_elements(l.outcome -> 'events') as e(event)
where l.ctid >= $1::tid and l.ctid < $2::tid and l.at >= $3 and l.seed >= 0 and l.slot = any($4::int[])
  and e.event ->> 'type' in ('items_taken', 'items_granted')
  and not (e.event ->> 'type' = 'items_granted' and exists (
      select from outbox b
      where b.slot = l.slot and b.player_id = l.player_id and b.command_id = l.command_id and b.number = -1
  ))

-- name: noted
-- $1 slots, $2 players, $3 command ids, $4 kinds: those that the items' database knows.
select n.command_id::text as command_id, n.kind
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[]) as n(slot, player_id, command_id, kind)
join item_ledger l on l.slot = n.slot and l.player_id = n.player_id and l.command_id = n.command_id and l.kind = n.kind

-- name: grant_again
-- $1 slots, $2 players, $3 command ids, $4 items as JSON: puts grants into the outbox again; delivered twice, they count
-- once.
insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)
select n.slot, n.player_id, n.command_id, -1, 'items', n.player_id, n.items, clock_timestamp()
from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::json[]) as n(slot, player_id, command_id, items)
on conflict do nothing

-- name: claims
-- A key (slot, kind, key), $4 how many, $5 since, $6 slots of players, each null for all: claims that were confirmed, or
-- that were about to be, since then.
select c.slot, c.kind, c.key, c.player_id,
       o.slot is not null and c.confirmed and ($5::timestamptz is null or c.deadline >= $5)
           and ($6::int[] is null or ((c.player_id >> 10) & 4095) = any($6)) as wanted
from (
    select * from claims where (slot, kind, key) > ($1::smallint, $2::text, $3::text)
    order by slot, kind, key limit $4
) as c
left join accounts_owned_slots o on o.slot = c.slot and o.owned
order by c.slot, c.kind, c.key

-- name: players
-- A key (slot, id), $3 how many: the ids of all players.
select p.slot, p.id, o.slot is not null and not p.void as wanted
from (select slot, id, void from players where (slot, id) > ($1::smallint, $2::bigint) order by slot, id limit $3) as p
left join players_owned_slots o on o.slot = p.slot and o.owned
order by p.slot, p.id

-- name: season_starts
-- $1 the first slot, $2 the last: the boards and the Unix seconds of the seasons in which their players scored, or that
-- came after a season's end was fenced.
select s.board, s.season from scores s join players_owned_slots o on o.slot = s.slot and o.owned
where s.season > 0 and s.slot between $1::smallint and $2::smallint
union
select f.board, f.season from season_floors f join players_owned_slots o on o.slot = f.slot and o.owned
where f.slot between $1::smallint and $2::smallint

-- name: seasons_rewarded
-- $1 since: on the control database, seasons that were closed since then, or that are being closed.
select board, start from seasons where state = 'counted' or (state = 'closed' and changed_at >= $1) order by board, start

-- name: rewards
-- A key (position), $2 how many, $3 board, $4 start, $5 slots of players: the rewards of the season that had arrived.
select t.position, t.board, t.start, s."end", t.player_id, t.rank,
       t.rewarded = 'arrived' and ((t.player_id >> 10) & 4095) = any($5::int[]) as wanted
from (
    select * from season_standings where board = $3 and start = $4 and position > $1::bigint order by position limit $2
) as t
join seasons s on s.board = t.board and s.start = t.start
order by t.position

-- name: rewards_unknown
-- A key (board, start, position), $4 how many: on the control database, rewards that may have arrived or not.
select t.board, t.start, t.position, t.player_id, t.rank, t.rewarded = 'unknown' as wanted
from (
    select * from season_standings where (board, start, position) > ($1::text, $2::bigint, $3::int)
    order by board, start, position limit $4
) as t
order by t.board, t.start, t.position

-- name: reward_again
-- $1 boards, $2 starts, $3 positions: makes rewards due again, and lets nodes close their seasons once more.
with due as (
    update season_standings t set rewarded = null
    from unnest($1::text[], $2::bigint[], $3::int[]) as n(board, start, position)
    where t.board = n.board and t.start = n.start and t.position = n.position
    returning t.board, t.start
)
update seasons s set state = 'counted', changed_at = clock_timestamp()
where s.state = 'closed' and (s.board, s.start) in (select board, start from due)
returning s.board

-- name: standing
-- A key (player), $2 how many, $3 slots of players, all if null: the players on stored standings, and whether they are
-- hidden on any and on all of them.
select t.player_id, bool_or(t.hidden) as ever, bool_and(t.hidden) as always,
       $3::int[] is null or ((t.player_id >> 10) & 4095) = any($3::int[]) as wanted
from season_standings t
where t.player_id > $1::bigint
group by t.player_id order by t.player_id limit $2

-- name: banned
-- $1 slots, $2 players: those who are banned.
select p.id
from unnest($1::smallint[], $2::bigint[]) as n(slot, id)
join players p on p.slot = n.slot and p.id = n.id and p.banned

-- name: campaigns_since
-- $1 since: on the control database, campaigns whose letters may have arrived since then.
select c.id::text as id, c.state, c.at
from campaigns c
where c.changed_at >= $1 and (c.slot > 0 or c.after > 0 or c.pending is not null)
order by c.at, c.id

-- name: hold_campaigns
update campaigns set state = 'waiting', agreed_by = null, changed_at = clock_timestamp() where state = 'running'

-- name: campaigns_held
-- On the control database: campaigns that wait for an operator.
select c.id::text as id, c.admin, c.counted, c.at from campaigns c where c.state = 'waiting' order by c.at, c.id

-- name: has_week
-- $1 the name of a partition: whether the ledger has it.
select exists (select from pg_inherits where inhparent = 'ledger'::regclass and inhrelid = to_regclass('public.' || $1))

-- name: campaign_again
-- $1 campaign, $2 slots: those of them that it has read are read once more, from their first player on, behind all others.
-- One that waits for a second operator does so still, and for a week from now.
with again as (
    select c.id, s.slot from campaigns c
    join unnest($2::bigint[]) as s(slot) on s.slot < c.next_slot or (s.slot = c.next_slot and c.next_after > 0)
    where c.id = $1::uuid and c.state <> 'revoked'
)
update campaigns c
set state = case c.state when 'done' then 'running' else c.state end, changed_at = clock_timestamp(), postponed = array(
    select e.value
    from (
        select c.postponed[i] as slot, c.postponed[i + 1] as after from generate_series(1, cardinality(c.postponed), 2) as i
        where c.postponed[i] not in (select slot from again)
        union all
        select slot, 0 from again
    ) as p
    cross join lateral (values (1, p.slot), (2, p.after)) as e(place, value)
    order by p.slot, e.place
)
where c.id in (select id from again)
returning c.id

-- name: operator_letters
-- A key (id), $2 how many, $3 since, $4 slots of players: on the control database, letters of operators to single players
-- since then, but for those that are known to have been refused.
select l.id, l.player_id, l.mail_id, l.items, l.at,
       l.at >= $3 and l.mail_id is not null and ((l.player_id >> 10) & 4095) = any($4::int[]) as wanted
from (
    select a.id, a.at, case when a.action = 'mail' and coalesce(e.ended, 'done') = 'done' then a.target::bigint end as player_id,
           a.details ->> 'mail' as mail_id, (a.details -> 'items')::text as items
    from (select * from audit where id > $1::bigint order by id limit $2) as a
    left join audit_ends e on e.entry = a.id
) as l
order by l.id

-- name: erasures
-- A key (id), $2 how many, $3 since: on the control database, orders to erase players that ended since then, or didn't end;
-- whether the player was deleted by them, whether that can't be told, and whether nothing was left.
select a.id, a.target as player, a.at, a.details::text as details,
       coalesce(e.after ->> 'complete' is not null, false) as happened,
       e.after ->> 'complete' is null and coalesce(e.ended in ('internal', 'outcome_unknown'), true) as doubtful,
       coalesce(e.after ->> 'complete' = 'true', false) as complete,
       a.action = 'erase' and coalesce(e.at, a.at) >= $3 as wanted
from (select * from audit where id > $1::bigint order by id limit $2) as a
left join audit_ends e on e.entry = a.id
order by a.id

-- name: line
-- The database's timeline, and since when its server runs.
select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline,
       pg_postmaster_start_time() as started
