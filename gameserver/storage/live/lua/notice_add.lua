-- Adds a notice to all players, and tells the nodes that there is one.
-- KEYS[1] the last notice's number   KEYS[2] the notices: number, space, push
-- ARGV[1] the push   [2] notices kept, at the most   [3] for how long, in ms   [4] the channel   [5] the message
-- Returns the notice's number.
-- By the clock, so that numbers also rise over a loss of everything here.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local number = string.format('%.0f', math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0) + 1))
redis.call('SET', KEYS[1], number)
redis.call('RPUSH', KEYS[2], number .. ' ' .. ARGV[1])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[2]), -1)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return tonumber(number)
