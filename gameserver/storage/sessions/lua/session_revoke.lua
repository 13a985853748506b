-- Ends sessions of a player.
-- KEYS[1] the player's index    ARGV[1] the prefix of the player's session keys   [2...] the names of those that end
-- Returns how many there were.
local ended = 0
for each = 2, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[each])
  ended = ended + redis.call('UNLINK', ARGV[1] .. ARGV[each])
end
return ended
