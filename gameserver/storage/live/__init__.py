"""Who is connected, and the pushes stored for players.

Door: `presence` (Presence, LiveNode), `pushes` (Pushes, StoredPush, Opened, Seen), `vitals` (Vitals).
"""
