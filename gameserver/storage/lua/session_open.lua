-- Opens a session; when the player has too many, the oldest go.
-- KEYS[1] the session's hash    KEYS[2] the player's index: session names by the time they were opened
-- ARGV[1] now, in ms   [2] idle time, in ms   [3] longest life, in ms   [4] sessions per player
-- ARGV[5] the session's name   [6] the prefix of the player's session keys   [7] the player's session epoch
-- Returns the names of the sessions that went.
local now, idle, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'epoch', ARGV[7], 'opened', ARGV[1], 'used', ARGV[1], 'ends', now + longest)
redis.call('PEXPIREAT', KEYS[1], now + math.min(idle, longest))
redis.call('ZADD', KEYS[2], now, ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - longest)
redis.call('PEXPIREAT', KEYS[2], now + longest)
local gone = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if redis.call('ZCARD', KEYS[2]) <= tonumber(ARGV[4]) then break end
  redis.call('ZREM', KEYS[2], name)
  redis.call('UNLINK', ARGV[6] .. name)
  gone[#gone + 1] = name
end
return gone
