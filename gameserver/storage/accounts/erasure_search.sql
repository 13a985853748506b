-- Looking for what an erasure must not have left in rows of others. Tables: ledger, ledger_kept, inbox, outbox, bans,
-- devices, players.
-- :id the erased player; :words its names as a pattern of whole words. Each is a scan, bounded by the session's statement_timeout.

-- name: letters_inbox
-- Letters of the player in inboxes that still say something: an erased one has its sender alone.
select count(*) from inbox
where sender = :id and player_id <> :id
  and (payload -> 'args' is null or (select count(*) from json_object_keys(payload -> 'args')) > 1)

-- name: letters_outbox
select count(*) from outbox where player_id = :id

-- name: letters_ledger
-- The same in the ledgers of their recipients.
select count(*) from ledger
where starts_with(action, 'mail:') and player_id <> :id and args ->> 'sender' = cast(:id as text)
  and (select count(*) from json_object_keys(args)) > 1

-- name: letters_kept
select count(*) from ledger_kept
where starts_with(action, 'mail:') and player_id <> :id and args ->> 'sender' = cast(:id as text)
  and (select count(*) from json_object_keys(args)) > 1

-- name: words_inbox
-- Rows of others that have one of the names as a word.
select count(*) from inbox where player_id <> :id and cast(payload as text) ~ :words

-- name: words_outbox
select count(*) from outbox where player_id <> :id and cast(payload as text) ~ :words

-- name: words_ledger
-- What another player was named itself doesn't count.
select count(*) from ledger
where player_id <> :id and (cast(args as text) ~ :words or cast(outcome -> 'events' as text) ~ :words)

-- name: words_kept
select count(*) from ledger_kept
where player_id <> :id and (cast(args as text) ~ :words or cast(outcome -> 'events' as text) ~ :words)

-- name: words_bans
select count(*) from bans where player_id <> :id and concat_ws(' ', said, reason) ~* :words

-- name: words_devices
select count(*) from devices where player_id <> :id and label ~* :words

-- name: words_players
-- What rules keep of a player.
select count(*) from players where id <> :id and cast(data as text) ~ :words
