-- Says that a database's follower has caught up, in the next generation, with what was there when the last database
-- had been loaded; makes that generation the live one when the followers of all databases have.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV generation: the next one
-- ARGV database: whose follower has caught up
-- ARGV databases...: all of them
-- CONST READY: how the checkpoints' field begins that says that a database's follower has caught up
-- CONST WHOLE: the checkpoints' field that says that a generation has become live whole
-- Returns 1 if the generation has become the live one.
-- include: forget
-- include: is_intact
local names = redis.call('HMGET', state, 'live', 'next')
if names[2] ~= generation then return 0 end

-- Every database must have a checkpoint, and have caught up.
local checkpoints = KEY:format(prefix, generation, 'checkpoints')
redis.call('HSET', checkpoints, READY .. database, 1)
for _, name in ipairs(databases) do
  if redis.call('HEXISTS', checkpoints, name) == 0 then return 0 end
  if redis.call('HEXISTS', checkpoints, READY .. name) == 0 then return 0 end
end

-- A generation that has lost a part meanwhile is given up; the followers begin another one.
local function key(part) return KEY:format(prefix, generation, part) end
if not is_intact(generation, key('order'), key('members'), key('scores'), checkpoints) then
  forget(generation)
  redis.call('HDEL', state, 'next')
  return 0
end

redis.call('HSET', checkpoints, WHOLE, 1)
redis.call('HSET', state, 'live', generation)
redis.call('HDEL', state, 'next')
if names[1] then forget(names[1]) end
return 1
