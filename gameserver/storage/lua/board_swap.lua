-- Puts the next generation in the live one's place when every database has a checkpoint in it.
-- KEYS[1] the board's state    ARGV[1] the board's prefix   [2...] the databases
-- Returns the generation that was swapped in, or nothing.
local state = redis.call('HMGET', KEYS[1], 'live', 'next')
if not state[2] then return false end
for each = 2, #ARGV do
  if redis.call('HEXISTS', ARGV[1] .. state[2] .. ':checkpoints', ARGV[each]) == 0 then return false end
end
redis.call('HSET', KEYS[1], 'live', state[2])
redis.call('HDEL', KEYS[1], 'next')
if state[1] then
  for _, part in ipairs({ ':order', ':members', ':checkpoints' }) do redis.call('UNLINK', ARGV[1] .. state[1] .. part) end
end
return state[2]
