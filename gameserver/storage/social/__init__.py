"""Friends and feeds: truth in Postgres, read from Redis; and blocks, read from Postgres.

Door: `friends` (Friends, FriendChange), `feeds` (Feeds), `blocks` (Blocks, BlockChange, Block),
`lists` (Lists, by which friends and blocks are changed).
"""
