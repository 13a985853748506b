-- Adds a notice to all players, and tells the nodes that there is one.
-- KEYS last: the last notice's number
-- KEYS notices: number, space, push
-- ARGV push: the notice
-- ARGV most: notices stored, at the most
-- ARGV lifetime_ms: for how long
-- ARGV channel: of all nodes
-- ARGV message: to them
-- Returns the notice's number.

-- By the clock, so that numbers also rise over a loss of everything here. What lies a day ahead isn't such a number.
local time, DAY = redis.call('TIME'), 86400 * 1000000
local now = time[1] * 1000000 + time[2]
local latest = tonumber(redis.call('GET', last) or 0) or 0
local number = string.format('%.0f', latest < now + DAY and math.max(now, latest + 1) or now)
redis.call('SET', last, number)
redis.call('RPUSH', notices, number .. ' ' .. push)
redis.call('LTRIM', notices, -tonumber(most), -1)
redis.call('PEXPIRE', notices, lifetime_ms)
redis.call('PUBLISH', channel, message)
return tonumber(number)
