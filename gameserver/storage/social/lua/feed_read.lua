-- A player's feed, whose lifetime begins anew if it is complete.
-- KEYS feed: version, space, entry, if there is one; the newest first
-- ARGV lifetime_ms: of the feed
-- ARGV version: the player's, which a complete feed ends with
-- ARGV limit: rows wanted
local rows = redis.call('LRANGE', feed, 0, limit - 1)
if rows[1] and rows[1]:match('^%d+') == version then redis.call('PEXPIRE', feed, lifetime_ms) end
return rows
