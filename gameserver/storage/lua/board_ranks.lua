-- The ranks of some players, all of one moment.
-- KEYS[1] the board's state    ARGV[1] the board's prefix   [2...] player ids, 8 bytes each
-- Returns {total, {index from 0, member, score} or an empty list for each id}, or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local order, ranks = ARGV[1] .. live .. ':order', {}
for each = 2, #ARGV do
  local noted = redis.call('HGET', ARGV[1] .. live .. ':members', ARGV[each])
  if noted then
    local member = noted:sub(1, 8) .. ARGV[each]
    ranks[#ranks + 1] = { redis.call('ZRANK', order, member), member, redis.call('ZSCORE', order, member) }
  else
    ranks[#ranks + 1] = {}
  end
end
return { redis.call('ZCARD', order), ranks }
