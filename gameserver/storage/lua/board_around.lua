-- The entries around a player, himself in the middle.
-- KEYS[1] the board's state    ARGV[1] the board's prefix   [2] player id, 8 bytes   [3] how many on either side
-- Returns {total, index of the first (from 0), member, score ...}, an empty list when he isn't on the board,
-- or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local order = ARGV[1] .. live .. ':order'
local noted = redis.call('HGET', ARGV[1] .. live .. ':members', ARGV[2])
if not noted then return {} end
local rank = redis.call('ZRANK', order, noted:sub(1, 8) .. ARGV[2])
local first = math.max(0, rank - tonumber(ARGV[3]))
local page = { redis.call('ZCARD', order), first }
for _, each in ipairs(redis.call('ZRANGE', order, first, rank + tonumber(ARGV[3]), 'WITHSCORES')) do
  page[#page + 1] = each
end
return page
