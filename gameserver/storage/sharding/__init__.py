"""Changing the slot map while players play.

Door: `provision` and `admission` (`admit`) set databases up; `membership` (`Membership`, `Member`) says which ones a
group may use; `move` (`MoveRecord`, `PlannedMove`, `LeaseLost`), `records` (`MoveRecords`), `mover` (`Mover`) and
`attempt` (`MoveProgress`, `Tell`) are for those who move slots; `reconciling` (`Reconciler`, `Reconciliation`) opens
databases that went back in time; `primaries` (`PrimaryMemory`) tells who was the primary last, `identity` which
database one is.
"""
