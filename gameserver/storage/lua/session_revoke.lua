-- Ends one session.
-- KEYS[1] the session's hash    KEYS[2] the player's index    ARGV[1] the session's name
-- Returns how many were ended: 1 or 0.
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('UNLINK', KEYS[1])
