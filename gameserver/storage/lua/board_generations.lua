-- The generations that followers have to write, with a database's checkpoint in each; makes the first if there is none.
-- KEYS[1] the board's state: hash of live and next    ARGV[1] the board's prefix   [2] database   [3] name for a new generation
-- Returns {generation, checkpoint or an empty string} of each.
local state = redis.call('HMGET', KEYS[1], 'live', 'next')
if not state[1] and not state[2] then
  redis.call('HSET', KEYS[1], 'next', ARGV[3])
  state[2] = ARGV[3]
end
local listed = {}
for each = 1, 2 do
  if state[each] then
    local checkpoint = redis.call('HGET', ARGV[1] .. state[each] .. ':checkpoints', ARGV[2])
    listed[#listed + 1] = { state[each], checkpoint or '' }
  end
end
return listed
