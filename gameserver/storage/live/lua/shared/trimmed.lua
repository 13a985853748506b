-- Trims the tail to its bound and remembers the highest number that it loses. Needs `stream`, `tail` and `most`.
local function number_of(entry) return tonumber(string.match(entry, '^%d+') or 0) end
local function trimmed()
  local surplus = redis.call('LLEN', tail) - tonumber(most)
  if surplus <= 0 then return end
  redis.call('HSET', stream, 'lost', number_of(redis.call('LINDEX', tail, surplus - 1)))
  redis.call('LTRIM', tail, surplus, -1)
end
