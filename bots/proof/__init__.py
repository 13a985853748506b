"""The proof: what the bots were answered, compared with what the server stored, in invariants that a run must show.

Door: `audit` (`prove_players`), `boards` (`prove_boards`, `BoardVerdict`, `PresentPlayers`, `Rankers`), `points`
(`prove_points`), `invariants` (`Fault`, `Evidence`), `players` (`PlayerVerdict`), `letters` (`MailCounts`), `spread`
(`DatabaseShare`), `sometimes` (`sightings`), `result` (`RunResult`), `pages` (`Asker`, `NotProvedError`), `replay`
(`check_history`, `HistoryVerdict`).
"""
