"""Sessions, and the attempts to get one.

Door: `sessions` (Sessions, Session, Origin, Listed), `tokens` (identify), `attempts` (Attempts), `sightings`
(Sightings, and `write`).
"""
