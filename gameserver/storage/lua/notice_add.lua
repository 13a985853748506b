-- Adds a notice to all players, and tells the nodes that there is one.
-- KEYS[1] the last notice's number   KEYS[2] the notices: number, space, push
-- ARGV[1] the push   [2] notices kept, at the most   [3] for how long, in ms   [4] the channel   [5] the message
-- Returns the notice's number.
local number = redis.call('INCR', KEYS[1])
redis.call('RPUSH', KEYS[2], number .. ' ' .. ARGV[1])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[2]), -1)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return number
