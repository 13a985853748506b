-- What a follower reads from one database. Tables: ledger, ledger_kept,
-- players, players_editions, players_owned_slots, scores, traced_actions.

-- name: identity
-- Which server this is.
select (pg_control_system()).system_identifier::text as system,
       substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline

-- name: edition
-- The edition of the rules that is in force here, 0 if none was ever published.
select coalesce(max(edition), 0) from players_editions where at <= clock_timestamp() and state = 'ordered'

-- name: mark
-- A transaction id that is surely on disk: what is handed out again after a crash is above it.
select pg_current_xact_id()::text::bigint as txid, pg_logical_emit_message(true, 'gameserver', 'load')

-- name: snapshot
select pg_current_snapshot()::text

-- name: changed
-- $1 lowest transaction id of interest, $2 one more than the last to read, $3 xmax and $4 in-progress ids of the
-- snapshot that was read last, $5 boards and $6 seasons whose scores are stored: the present state of the players whose
-- ledger rows became visible since (a negative seed marks a refusal, which changes nobody), also of deleted ones, who
-- are void, and of all in slots that were granted to this database since (`moved`), and the ledger's time. Of weeks that
-- were dropped since, each player's last row is kept. Only slots that it owns: others' rows are copies, older or newer.
select change.*, now.snapshot, now.at
from (select pg_current_snapshot()::text as snapshot, statement_timestamp() as at) as now
left join lateral (
    select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at,
           coalesce(p.level_reached_at, p.created_at) as level_reached_at, p.banned or p.deleted as gone,
           stored.wanted, stored.scores, stored.reached, l.txid, l.granted as moved
    from (
        select slot, player_id, max(txid) as txid, bool_or(granted) as granted from (
            select slot, player_id, txid, false as granted from ledger
            where txid >= $1 and txid < $2 and (txid >= $3 or txid = any($4::bigint[])) and seed >= 0
            union all
            select slot, player_id, ledger_txid, false from ledger_kept
            where ledger_txid >= $1 and ledger_txid < $2 and (ledger_txid >= $3 or ledger_txid = any($4::bigint[]))
            union all
            select g.slot, m.id, g.txid, true from players_owned_slots g join players m on m.slot = g.slot
            where g.txid >= $1 and g.txid < $2 and (g.txid >= $3 or g.txid = any($4::bigint[]))
        ) as news
        group by slot, player_id
    ) as l
    join players_owned_slots o on o.slot = l.slot and o.owned
    join players p on p.slot = l.slot and p.id = l.player_id and (p.deleted or not p.void)
    left join lateral (
        select array_agg(w.number) as wanted, array_agg(s.score) as scores, array_agg(s.reached_at) as reached
        from unnest($5::text[], $6::bigint[]) with ordinality as w(board, season, number)
        join scores s on s.slot = p.slot and s.player_id = p.id and s.board = w.board and s.season = w.season
    ) as stored on cardinality($5::text[]) > 0
) as change on true

-- name: scan
-- $1 slot and $2 id after which to go on, $3 how many, $4 boards and $5 seasons whose scores are stored: the players of
-- its own slots, in the order of their key, and whether their slot was on another database before.
select p.id, p.name, p.class, p.level, p.hp, p.exp, p.version, p.created_at, p.exp_reached_at,
       coalesce(p.level_reached_at, p.created_at) as level_reached_at, p.banned or p.deleted as gone,
       stored.wanted, stored.scores, stored.reached, here.epoch > 1 as moved
from players p
join players_owned_slots here on here.slot = p.slot and here.owned
left join lateral (
    select array_agg(w.number) as wanted, array_agg(s.score) as scores, array_agg(s.reached_at) as reached
    from unnest($4::text[], $5::bigint[]) with ordinality as w(board, season, number)
    join scores s on s.slot = p.slot and s.player_id = p.id and s.board = w.board and s.season = w.season
) as stored on cardinality($4::text[]) > 0
where (p.slot, p.id) > ($1::smallint, $2::bigint) and (p.deleted or not p.void)
order by p.slot, p.id
limit $3

-- name: summarize
-- Without this the newest pages, which no autovacuum has seen, would be read at every turn.
select brin_summarize_new_values(i.inhrelid::regclass)
from pg_inherits i where i.inhparent = 'ledger_txid'::regclass

-- name: forget_plans
-- Statements are planned anew when they run next, for the ledger as large as it is by then.
discard plans

-- name: traced
-- $1 lowest transaction id of interest, $2 one more than the last, $3 xmax and $4 in-progress ids of the snapshot that
-- was read last: the actions of these transactions whose requests are traced, and their spans.
select txid, context from traced_actions
where txid >= $1 and txid < $2 and (txid >= $3 or txid = any($4::bigint[]))

-- name: forget_traced
-- What no follower waits for any more.
delete from traced_actions where at < clock_timestamp() - interval '10 minutes'
