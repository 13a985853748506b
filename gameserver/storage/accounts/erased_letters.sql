-- What a letter of an erased player has left with its recipient. Tables: ledger, ledger_kept, inbox.
-- :slot and :id the recipient, :mail_id the letter, in each.

-- name: ledger
select cast(outcome as text) as outcome from ledger
where slot = :slot and player_id = :id and command_id = cast(:mail_id as uuid) for no key update

-- name: ledger_row
-- :args and :outcome (JSON).
update ledger set args = cast(:args as json), outcome = cast(:outcome as json)
where slot = :slot and player_id = :id and command_id = cast(:mail_id as uuid)

-- name: kept
-- The same of weeks that were dropped.
select cast(outcome as text) as outcome from ledger_kept
where slot = :slot and player_id = :id and command_id = cast(:mail_id as uuid) for no key update

-- name: kept_row
-- :args and :outcome (JSON).
update ledger_kept set args = cast(:args as json), outcome = cast(:outcome as json)
where slot = :slot and player_id = :id and command_id = cast(:mail_id as uuid)

-- name: inbox
-- :payload (JSON).
update inbox set payload = cast(:payload as json)
where slot = :slot and player_id = :id and mail_id = cast(:mail_id as uuid)
