-- Opens a session, and tells which of the player's are too many: the oldest of those that haven't expired.
-- KEYS[1] the session's hash    KEYS[2] the player's index: session names by the time they were opened
-- ARGV[1] idle time, in ms   [2] longest life, in ms   [3] sessions per player   [4] the session's name
-- ARGV[5] the prefix of the player's session keys   [6] the player's session epoch   [7] a label   [8] an address
-- Returns now in ms by this server's clock, and the names of those to be ended.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local idle, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[6], 'opened', now, 'used', now, 'ends', now + longest,
  'label', ARGV[7], 'address', ARGV[8])
redis.call('PEXPIREAT', KEYS[1], now + math.min(idle, longest))
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if redis.call('EXISTS', ARGV[5] .. name) == 0 then redis.call('ZREM', KEYS[2], name) end
end
redis.call('ZADD', KEYS[2], now, ARGV[4])
redis.call('PEXPIREAT', KEYS[2], now + longest)
local over, gone = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3]), {}
for _, name in ipairs(over > 0 and redis.call('ZRANGE', KEYS[2], 0, over) or {}) do
  if name ~= ARGV[4] and #gone < over then gone[#gone + 1] = name end
end
return { now, gone }
