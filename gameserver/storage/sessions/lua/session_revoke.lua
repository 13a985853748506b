-- Ends sessions of a player.
-- KEYS sessions: the player's session names, by the time they were opened
-- ARGV prefix: of the player's session keys
-- ARGV names...: of the sessions that end
-- Returns how many there were.
local ended = 0
for _, name in ipairs(names) do
  redis.call('ZREM', sessions, name)
  ended = ended + redis.call('UNLINK', prefix .. name)
end
return ended
