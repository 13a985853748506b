-- Some of the players whom a board notes: a part of all of them, or some at random.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2] the cursor to go on from, 0 for the first, or 'any' for a random choice   [3] how many
-- Returns {generation, the next cursor, 0 after the last; how many are in the order, how many are noted; ids ...}, or
-- nothing when no generation is live. Who stays on the board from the first to the last call is told at least once.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local members, order = ARGV[1] .. live .. ':members', ARGV[1] .. live .. ':order'
local told = { live, '0', redis.call('ZCARD', order), redis.call('HLEN', members) }
if ARGV[2] == 'any' then
  for _, id in ipairs(redis.call('HRANDFIELD', members, ARGV[3])) do told[#told + 1] = id end
  return told
end
local part = redis.call('HSCAN', members, ARGV[2], 'COUNT', ARGV[3])
told[2] = part[1]
for each = 1, #part[2], 2 do told[#told + 1] = part[2][each] end
return told
