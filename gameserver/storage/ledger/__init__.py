"""The row that every change of a player leaves: deduplication, history, and the log that followers read.

Door: `rows` (the shape of a row), `refusals` (rows of refused commands), `history` (`History`), `past` (`Past`,
`Pasts`, `PastRow`, `Stored`, `TimelineFilter`, `undone_by`), `window` (`Window`), `partitions`, `retention`,
`periods`, and `snapshot` (how far a follower has read: `Snapshot`, `Checkpoint`).
"""
