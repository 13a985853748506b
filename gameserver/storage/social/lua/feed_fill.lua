-- Puts a feed here that was read from the ledger, unless a newer one is here.
-- KEYS[1] the feed    ARGV[1] its lifetime, in ms   [2] its newest version   [3...] its entries, the newest first
-- Returns 1 if it was put here.
local head = redis.call('LINDEX', KEYS[1], 0)
if head and tonumber(head:match('^%d+')) >= tonumber(ARGV[2]) then return 0 end
redis.call('UNLINK', KEYS[1])
for each = 3, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[each]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
