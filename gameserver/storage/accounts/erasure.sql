-- Erasing what is left of a deleted player. Tables: players, ledger, ledger_kept, inbox, outbox, bans.
-- :slot and :id the player (of `letter_…` the recipient), in each.

-- name: gone
-- Whether the player was deleted; null if there never was one.
select deleted from players where slot = :slot and id = :id and (deleted or not void) for no key update

-- name: names
-- Every name that the player has had, as far as the ledger is kept.
select distinct name from (
    select outcome ->> 'name' as name from ledger where slot = :slot and player_id = :id
    union all
    select outcome ->> 'name' from ledger_kept where slot = :slot and player_id = :id
    union all
    select name from players where slot = :slot and id = :id
) as every where name <> ''

-- name: letters
-- The letters that the player has sent, as far as the ledger is kept: their ids, and to whom.
select distinct event ->> 'mail_id' as mail_id, cast(event ->> 'to' as bigint) as recipient
from ledger l cross join lateral json_array_elements(case when l.seed >= 0 then l.outcome -> 'events' else '[]' end) as event
where l.slot = :slot and l.player_id = :id and event ->> 'type' = 'mail_sent'

-- name: waiting
-- How many letters of the player are still on their way.
select count(*) from outbox where slot = :slot and player_id = :id

-- name: player
update players set name = '', data = null, seen = null where slot = :slot and id = :id and deleted

-- name: ledger
-- What a row says is gone, but for figures; that of the deletion goes on answering its retries.
update ledger
set args = case when action = 'delete' then args else '{}' end,
    outcome = case
        when seed < 0 then json_build_object('refused', json_build_object('code', 'refused', 'detail', '',
                                                                          'extra', json_build_object()))
        else json_build_object('name', '', 'class', outcome -> 'class', 'level', outcome -> 'level',
                               'hp', outcome -> 'hp', 'max_hp', outcome -> 'max_hp', 'exp', outcome -> 'exp',
                               'events', json_build_array(), 'keys', json_build_array())
    end
where slot = :slot and player_id = :id

-- name: kept
-- The same of weeks that were dropped.
update ledger_kept
set args = '{}',
    outcome = json_build_object('name', '', 'class', outcome -> 'class', 'level', outcome -> 'level',
                                'hp', outcome -> 'hp', 'max_hp', outcome -> 'max_hp', 'exp', outcome -> 'exp',
                                'events', json_build_array(), 'keys', json_build_array())
where slot = :slot and player_id = :id

-- name: refused
-- Letters to the player that were refused: that they were stays recorded.
update inbox set payload = '{"args": {}, "events": []}' where slot = :slot and player_id = :id

-- name: bans
delete from bans where slot = :slot and player_id = :id

-- name: letter
-- :mail_id, a letter of the erased player, in the ledger of its recipient.
select cast(outcome as text) as outcome from ledger
where slot = :slot and player_id = :id and command_id = cast(:mail_id as uuid) for no key update

-- name: letter_row
-- :mail_id, :args and :outcome (JSON).
update ledger set args = cast(:args as json), outcome = cast(:outcome as json)
where slot = :slot and player_id = :id and command_id = cast(:mail_id as uuid)

-- name: letter_inbox
-- :mail_id and :payload (JSON).
update inbox set payload = cast(:payload as json)
where slot = :slot and player_id = :id and mail_id = cast(:mail_id as uuid)

-- name: left
-- :names as patterns: rows of the player that still have one of them.
select (select count(*) from players where slot = :slot and id = :id and name <> '')
     + (select count(*) from ledger where slot = :slot and player_id = :id
            and (cast(args as text) || cast(outcome as text)) like any(cast(:names as text[])))
     + (select count(*) from ledger_kept where slot = :slot and player_id = :id
            and (cast(args as text) || cast(outcome as text)) like any(cast(:names as text[])))
     + (select count(*) from inbox where slot = :slot and player_id = :id and refused is null)
     + (select count(*) from bans where slot = :slot and player_id = :id)
     + (select count(*) from credentials where slot = :slot and player_id = :id)
     + (select count(*) from devices where slot = :slot and player_id = :id)
