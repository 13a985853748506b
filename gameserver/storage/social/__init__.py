"""Friends and feeds: truth in Postgres, read from Redis.

Door: `friends` (Friends, FriendChange), `feeds` (Feeds).
"""
