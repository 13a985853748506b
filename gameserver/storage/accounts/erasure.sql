-- Erasing what is left of a deleted player. Tables: players, inbox, outbox, bans, credentials, devices.
-- :slot and :id the player, in each.

-- name: gone
-- Whether the player was deleted, its name, and its data, in which an erasure has its progress (own_ledger.py); no row if
-- there never was such a player.
select deleted, name, cast(data as text) as data from players
where slot = :slot and id = :id and (deleted or not void)

-- name: waiting
-- How many letters of the player are still on their way.
select count(*) from outbox where slot = :slot and player_id = :id

-- name: player
update players set name = '', data = null, seen = null where slot = :slot and id = :id and deleted

-- name: refused
-- Letters to the player that were refused, at most :rows: that they were stays recorded.
update inbox set payload = '{"args": {}, "events": []}'
where slot = :slot and player_id = :id
  and mail_id in (select mail_id from inbox
                  where slot = :slot and player_id = :id and cast(payload as text) <> '{"args": {}, "events": []}'
                  limit :rows)

-- name: bans
delete from bans where slot = :slot and player_id = :id

-- name: left
-- Rows of the player, but for its ledger, that have something which the statements above, or its deletion, take.
select (select count(*) from players
            where slot = :slot and id = :id and (name <> '' or data is not null or seen is not null))
     + (select count(*) from inbox where slot = :slot and player_id = :id
            and (refused is null or cast(payload as text) <> '{"args": {}, "events": []}'))
     + (select count(*) from bans where slot = :slot and player_id = :id)
     + (select count(*) from credentials where slot = :slot and player_id = :id)
     + (select count(*) from devices where slot = :slot and player_id = :id)
