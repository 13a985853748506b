-- Takes away a player's friends before and after they change: in between nobody may fill the set.
-- KEYS[1] the set   KEYS[2] its guard
-- ARGV[1] the change's token   [2] for how long it guards, in ms, at the most: before; '' after the change
redis.call('UNLINK', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
elseif redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('UNLINK', KEYS[2])
end
return 1
