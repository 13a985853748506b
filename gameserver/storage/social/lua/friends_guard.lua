-- Deletes a player's friends from the cache before and after they change; in between nobody may fill the set.
-- KEYS friends: the set
-- KEYS guard: who may fill it
-- ARGV token: the change's
-- ARGV guard_ms: for how long it guards at the most: before the change; '' after it
redis.call('UNLINK', friends)
if guard_ms ~= '' then
  redis.call('SET', guard, token, 'PX', guard_ms)
elseif redis.call('GET', guard) == token then
  redis.call('UNLINK', guard)
end
return 1
