"""Which database owns which slot; every other room reads it here.

Door: `slot_map` (`Slots`, `SlotMoved`, `IncompleteMap`, and the constants of waiting for a slot), `owner` (`on_owner`,
`lock_player`), `shared_writes` (`SharedWrites`, and its statements), `locked_players` (`lock_players`), `shared_reads`
(`SharedReads`), `pages` (`Pages`), `scanned_pages` (`Scanned`, `ScannedPages`, `SCANNED`) and `attendance` (`attend`).
"""
