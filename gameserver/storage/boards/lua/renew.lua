-- Begins a next generation, unless one is being built already; in place of that one if it is the one named.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2] name for the new generation   [3] the generation that can't be used
-- Returns the next generation's name.
local next = redis.call('HGET', KEYS[1], 'next')
if next and next ~= ARGV[3] then return next end
redis.call('HSET', KEYS[1], 'next', ARGV[2])
if next then
  for _, part in ipairs({ 'order', 'members', 'gone', 'gone_before', 'scores', 'checkpoints', 'as_of' }) do
    redis.call('UNLINK', ARGV[1] .. next .. ':' .. part)
  end
end
return ARGV[2]
