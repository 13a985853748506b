-- What a board has of some players.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2...] player ids, 8 bytes each
-- Returns {generation, the ledgers' times of its databases in ms: database, time ..., for each id: what is noted of him
-- and his member's score, empty when there is nothing}, or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local prefix, found = ARGV[1] .. live .. ':', {}
for each = 2, #ARGV do
  local noted = redis.call('HGET', prefix .. 'members', ARGV[each])
  local score = noted and redis.call('ZSCORE', prefix .. 'order', noted:sub(1, 8) .. ARGV[each])
  found[each - 1] = { noted or '', score or '' }
end
return { live, redis.call('HGETALL', prefix .. 'as_of'), found }
