-- Caches a feed that was read from the ledger, unless a newer one is cached, or it was forgotten since.
-- KEYS feed: version, space, entry, if there is one; the newest first
-- KEYS leave: the token of those who may fill it
-- ARGV token: the leave that was taken before the ledger was read
-- ARGV lifetime_ms: of the feed
-- ARGV version: the newest
-- ARGV entries...: the newest first
-- Returns 1 if it was cached.
if redis.call('GET', leave) ~= token then return 0 end
redis.call('UNLINK', leave)
local head = redis.call('LINDEX', feed, 0)
if head and tonumber(head:match('^%d+') or 0) >= tonumber(version) then return 0 end
redis.call('UNLINK', feed)
for _, entry in ipairs(entries) do redis.call('RPUSH', feed, entry) end
redis.call('PEXPIRE', feed, lifetime_ms)
return 1
