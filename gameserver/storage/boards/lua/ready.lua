-- Says that a database's follower has caught up, in the next generation, with what was there when the last database
-- had been loaded; puts that generation in the live one's place when every database's follower has.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2] the generation   [3] the database that has caught up   [4...] all databases
-- Returns 1 if the generation was swapped in.
local state = redis.call('HMGET', KEYS[1], 'live', 'next')
if state[2] ~= ARGV[2] then return 0 end
local checkpoints = ARGV[1] .. ARGV[2] .. ':checkpoints'
redis.call('HSET', checkpoints, 'ready:' .. ARGV[3], 1)
for each = 4, #ARGV do
  if redis.call('HEXISTS', checkpoints, ARGV[each]) == 0 then return 0 end
  if redis.call('HEXISTS', checkpoints, 'ready:' .. ARGV[each]) == 0 then return 0 end
end
redis.call('HSET', KEYS[1], 'live', ARGV[2])
redis.call('HDEL', KEYS[1], 'next')
if state[1] then
  for _, part in ipairs({ 'order', 'members', 'gone', 'gone_before', 'scores', 'checkpoints', 'as_of' }) do
    redis.call('UNLINK', ARGV[1] .. state[1] .. ':' .. part)
  end
end
return 1
