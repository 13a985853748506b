-- A player's feed, whose lifetime begins anew.
-- KEYS feed: version, space, entry; the newest first
-- ARGV lifetime_ms: of the feed
-- ARGV limit: entries wanted
redis.call('PEXPIRE', feed, lifetime_ms)
return redis.call('LRANGE', feed, 0, limit - 1)
