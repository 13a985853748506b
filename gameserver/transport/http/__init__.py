"""The HTTP door: one module of handlers for each kind of path; they decode, call a command and encode what it returns.

Door: the handlers' modules `admin`, `admin_keys`, `audit`, `boards`, `campaigns`, `corrections`, `devices`, `erasure`,
`fleet`, `game`, `health`, `mail`, `player_changes`, `player_page`, `players`, `rankings`, `rules`, `saved_queries`,
`sessions` and `social`; `operators` (who an operator is), `inputs` (what is read from a request), `replies` (JSON
responses), `streams` (files), `listening` (how new clients are accepted), `connections` (how long they may last, what
answers what isn't HTTP), `marks` (what every answer carries), `middleware` and `following` (around every request),
`shortcuts` (the short way to handlers), and `cursors`.
"""
