-- Looking for what an erasure must not have left in rows of others. Tables: ledger, ledger_kept, inbox, outbox, bans,
-- devices, players, claims, accounts_owned_slots.
-- :id the erased player; :words its names as a pattern of whole words, in any case. Each is a scan, bounded by
-- the session's statement_timeout.

-- name: names_claims
-- The names that the player has claimed, in whatever state.
select key from claims
where player_id = :id and kind = 'name' and slot in (select slot from accounts_owned_slots where owned)

-- name: letters_inbox
-- Letters of the player in inboxes that still say something: an erased one has its sender alone. What a refused one has
-- is its arguments alone, and `sender` is one of them.
select player_id, cast(mail_id as text) as mail_id from inbox
where sender = :id and player_id <> :id
  and case when payload -> 'sender' is not null or json_typeof(payload -> 'args') is distinct from 'object' then true
           else (select count(*) from json_object_keys(payload -> 'args')) > 1 end

-- name: letters_ledger
-- The same in the ledgers of their recipients.
select player_id, cast(command_id as text) as mail_id from ledger
where starts_with(action, 'mail:') and player_id <> :id and args ->> 'sender' = cast(:id as text)
  and (select count(*) from json_object_keys(args)) > 1

-- name: letters_kept
select player_id, cast(command_id as text) as mail_id from ledger_kept
where starts_with(action, 'mail:') and player_id <> :id and args ->> 'sender' = cast(:id as text)
  and (select count(*) from json_object_keys(args)) > 1

-- name: waiting_outbox
-- Letters of the player that haven't arrived.
select count(*) from outbox where player_id = :id

-- name: words_inbox
-- Rows of others that have one of the names as a word.
select count(*) from inbox where player_id <> :id and cast(payload as text) ~* :words

-- name: words_outbox
select count(*) from outbox where player_id <> :id and cast(payload as text) ~* :words

-- name: words_ledger
-- What another player was named itself doesn't count.
select count(*) from ledger
where player_id <> :id and (cast(args as text) ~* :words or cast(outcome -> 'events' as text) ~* :words)

-- name: words_kept
select count(*) from ledger_kept
where player_id <> :id and (cast(args as text) ~* :words or cast(outcome -> 'events' as text) ~* :words)

-- name: words_bans
select count(*) from bans where player_id <> :id and concat_ws(' ', said, reason) ~* :words

-- name: words_devices
select count(*) from devices where player_id <> :id and label ~* :words

-- name: words_players
-- What rules keep of a player.
select count(*) from players where id <> :id and cast(data as text) ~* :words
