-- Erasing what is left of a deleted player. Tables: players, ledger, ledger_kept, inbox, outbox, bans, credentials,
-- devices. :slot and :id the player, in each.

-- name: blank
-- What is left of the outcome of a row of the ledger; of one that is erased it makes the same again.
case
    when seed < 0 then json_build_object('refused', json_build_object('code', 'refused', 'detail', '',
                                                                      'extra', json_build_object()))
    else json_build_object('name', '', 'class', outcome -> 'class', 'level', outcome -> 'level',
                           'hp', outcome -> 'hp', 'max_hp', outcome -> 'max_hp', 'exp', outcome -> 'exp',
                           'events', json_build_array(), 'keys', json_build_array())
end

-- name: gone
-- Whether the player was deleted; null if there never was one.
select deleted from players where slot = :slot and id = :id and (deleted or not void) for no key update

-- name: rows
select action, seed, outcome from ledger where slot = :slot and player_id = :id
union all
select action, seed, outcome from ledger_kept where slot = :slot and player_id = :id

-- name: names
-- Every name that the player has had, as far as the ledger is kept.
select distinct name from (
    select outcome ->> 'name' as name from ({rows}) as every
    union all
    select outcome -> 'events' -> 0 ->> 'from' from ({rows}) as every where action = 'rename'
    union all
    select name from players where slot = :slot and id = :id
) as found where name <> ''

-- name: letters
-- The letters that the player has sent, as far as the ledger is kept: their ids, and to whom.
select distinct event ->> 'mail_id' as mail_id, cast(event ->> 'to' as bigint) as recipient
from ({rows}) as l
     cross join lateral json_array_elements(case when l.seed >= 0 then l.outcome -> 'events' else '[]' end) as event
where event ->> 'type' = 'mail_sent'

-- name: waiting
-- How many letters of the player are still on their way.
select count(*) from outbox where slot = :slot and player_id = :id

-- name: player
update players set name = '', data = null, seen = null where slot = :slot and id = :id and deleted

-- name: ledger
-- What a row says is gone, but for figures; that of the deletion goes on answering its retries.
update ledger set args = case when action = 'delete' then args else '{}' end, outcome = {blank}
where slot = :slot and player_id = :id

-- name: kept
-- The same of weeks that were dropped.
update ledger_kept set args = '{}', outcome = {blank} where slot = :slot and player_id = :id

-- name: refused
-- Letters to the player that were refused: that they were stays recorded.
update inbox set payload = '{"args": {}, "events": []}' where slot = :slot and player_id = :id

-- name: bans
delete from bans where slot = :slot and player_id = :id

-- name: left
-- Rows of the player that have something which the statements above, or its deletion, take.
select (select count(*) from players
            where slot = :slot and id = :id and (name <> '' or data is not null or seen is not null))
     + (select count(*) from ledger where slot = :slot and player_id = :id
            and (cast(outcome as text) <> cast({blank} as text)
                 or action <> 'delete' and cast(args as text) <> '{}'))
     + (select count(*) from ledger_kept where slot = :slot and player_id = :id
            and (cast(outcome as text) <> cast({blank} as text) or cast(args as text) <> '{}'))
     + (select count(*) from inbox where slot = :slot and player_id = :id
            and (refused is null or cast(payload as text) <> '{"args": {}, "events": []}'))
     + (select count(*) from bans where slot = :slot and player_id = :id)
     + (select count(*) from credentials where slot = :slot and player_id = :id)
     + (select count(*) from devices where slot = :slot and player_id = :id)
