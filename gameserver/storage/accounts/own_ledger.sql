-- The ledger of a deleted player in pieces. Tables: players, ledger, ledger_kept.
-- :slot and :id the player, in each; a piece begins behind the command id :after and ends with :last.

-- name: blank
-- What is left of the outcome of a row of the ledger; of one that is erased it makes the same again.
case
    when seed < 0 then json_build_object('refused', json_build_object('code', 'refused', 'detail', '',
                                                                      'extra', json_build_object()))
    else json_build_object('name', '', 'class', outcome -> 'class', 'level', outcome -> 'level',
                           'hp', outcome -> 'hp', 'max_hp', outcome -> 'max_hp', 'exp', outcome -> 'exp',
                           'events', json_build_array(), 'keys', json_build_array())
end

-- name: advance
-- :progress instead of what the row has, :former.
update players set data = cast(:progress as json)
where slot = :slot and id = :id and deleted and cast(data as text) is not distinct from cast(:former as text)

-- name: look
-- At most :rows rows in their order: whether they say anything that an erasure takes, the names in them, and the letters
-- that were sent, as pairs of their id and to whom. A row that is being copied to `ledger_kept` is there twice.
select cast(command_id as text) as command_id,
       cast(outcome as text) <> cast({blank} as text)
           or (kept or action <> 'delete') and cast(args as text) <> '{}' as speaks,
       outcome ->> 'name' as name,
       case when action = 'rename' then outcome -> 'events' -> 0 ->> 'from' end as former,
       (select cast(json_agg(json_build_array(event ->> 'mail_id', event ->> 'to')) as text)
        from json_array_elements(case when seed >= 0 then outcome -> 'events' else '[]' end) as event
        where event ->> 'type' = 'mail_sent') as letters
from (
    (select command_id, action, args, seed, outcome, false as kept from ledger
     where slot = :slot and player_id = :id and command_id > cast(:after as uuid) order by command_id limit :rows)
    union all
    (select command_id, action, args, seed, outcome, true from ledger_kept
     where slot = :slot and player_id = :id and command_id > cast(:after as uuid) order by command_id limit :rows)
) as piece
order by command_id
limit :rows

-- name: ledger
-- What a row says is gone, but for figures; that of the deletion goes on answering its retries.
update ledger set args = case when action = 'delete' then args else '{}' end, outcome = {blank}
where slot = :slot and player_id = :id and command_id > cast(:after as uuid) and command_id <= cast(:last as uuid)
  and (cast(outcome as text) <> cast({blank} as text) or action <> 'delete' and cast(args as text) <> '{}')

-- name: ledger_kept
-- The same of weeks that were dropped.
update ledger_kept set args = '{}', outcome = {blank}
where slot = :slot and player_id = :id and command_id > cast(:after as uuid) and command_id <= cast(:last as uuid)
  and (cast(outcome as text) <> cast({blank} as text) or cast(args as text) <> '{}')
