"""The proof: what the bots were answered, compared with what the server stored, in invariants that a run must show.

Door: `audit` (`prove_players`), `boards` (`prove_boards`, `BoardVerdict`), `players` (`PlayerVerdict`), `letters`
(`MailCounts`), `spread` (`DatabaseShare`), `result` (`RunResult`), `pages` (`NotProvedError`).
"""
