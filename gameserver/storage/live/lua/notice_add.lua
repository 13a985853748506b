-- Adds a notice to all players, and tells the nodes that there is one.
-- KEYS last: the last notice's number
-- KEYS notices: number, space, push
-- ARGV push: the notice
-- ARGV is_once: 1: it isn't added if it is stored already
-- ARGV most: notices of its kind stored, at the most
-- ARGV lifetime_ms: for how long
-- ARGV channel: of all nodes
-- ARGV message: to them
-- Returns the notice's number.

local kind, same = push:match('^%["%a+"'), {}
for _, entry in ipairs(redis.call('LRANGE', notices, 0, -1)) do
  local stored, text = entry:match('^(%d+) (.*)$')
  if is_once == '1' and text == push then return tonumber(stored) end
  if text and text:sub(1, #kind) == kind then same[#same + 1] = entry end
end

-- By the clock, so that numbers also rise over a loss of everything here. What lies a day ahead isn't such a number.
local time, DAY = redis.call('TIME'), 86400 * 1000000
local now = time[1] * 1000000 + time[2]
local latest = tonumber(redis.call('GET', last) or 0) or 0
local number = string.format('%.0f', latest < now + DAY and math.max(now, latest + 1) or now)
redis.call('SET', last, number)
redis.call('RPUSH', notices, number .. ' ' .. push)
if #same >= tonumber(most) then redis.call('LREM', notices, 1, same[1]) end
-- There are two kinds; what the product doesn't write goes with the oldest.
redis.call('LTRIM', notices, -2 * most, -1)
redis.call('PEXPIRE', notices, lifetime_ms)
redis.call('PUBLISH', channel, message)
return tonumber(number)
