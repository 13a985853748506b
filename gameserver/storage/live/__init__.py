"""Who is connected, and the pushes stored for players.

Door: `presence` (Presence, LiveNode), `pushes` (Pushes, Opened, Seen), `stored_push` (StoredPush), `mail_pushes`
(MailPushes), `vitals` (Vitals).
"""
