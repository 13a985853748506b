-- Ends all sessions of a player.
-- KEYS[1] the player's index    ARGV[1] the prefix of the player's session keys
-- Returns the names of the ended.
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, name in ipairs(names) do
  redis.call('UNLINK', ARGV[1] .. name)
end
redis.call('UNLINK', KEYS[1])
return names
