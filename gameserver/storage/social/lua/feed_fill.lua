-- Caches a feed that was read from the ledger, unless a newer one is cached since, or it was forgotten since.
-- KEYS feed: version, space, entry, if there is one; the newest first
-- KEYS leave: the token of those who may fill it
-- ARGV token: the leave that was taken before the ledger was read
-- ARGV lifetime_ms: of the feed
-- ARGV version: the newest
-- ARGV undone: what the cached feed ended with before the ledger was read: if that says less, the database went back
-- ARGV entries...: the newest first
-- Returns 1 if it was cached.
if redis.call('GET', leave) ~= token then return 0 end
redis.call('UNLINK', leave)
local head = tonumber((redis.call('LINDEX', feed, 0) or ''):match('^%d+') or 0)
if head >= tonumber(version) and head ~= tonumber(undone) then return 0 end
redis.call('UNLINK', feed)
for _, entry in ipairs(entries) do redis.call('RPUSH', feed, entry) end
redis.call('PEXPIRE', feed, lifetime_ms)
return 1
