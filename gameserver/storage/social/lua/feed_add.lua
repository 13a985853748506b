-- Adds what a player has just done to his feed, if that is here and nothing is missing in between.
-- KEYS[1] the feed    ARGV[1] the entry's version   [2] the entry with its version   [3] entries kept, at the most
-- Returns 1 if it was added. A feed in which something is missing goes: who reads it next has it from the ledger.
local head = redis.call('LINDEX', KEYS[1], 0)
if not head then return 0 end
local missing = tonumber(ARGV[1]) - 1 - tonumber(head:match('^%d+'))
if missing > 0 then redis.call('UNLINK', KEYS[1]) end
if missing ~= 0 then return 0 end
redis.call('LPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], 0, ARGV[3] - 1)
return 1
