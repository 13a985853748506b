-- A player's feed, whose lifetime begins anew.
-- KEYS feed: version, space, entry, if there is one; the newest first
-- ARGV lifetime_ms: of the feed
-- ARGV limit: rows wanted
redis.call('PEXPIRE', feed, lifetime_ms)
return redis.call('LRANGE', feed, 0, limit - 1)
