-- Deletes a player's friends from the cache before and after they change; in between nobody may fill the set.
-- KEYS friends: the set
-- KEYS guard: who may fill it
-- ARGV token: the change's
-- ARGV guard_ms: for how long it guards at the most: before the change; '' after it
-- ARGV leave: how the token of a caller begins that may fill the set
redis.call('UNLINK', friends)
if guard_ms ~= '' then
  redis.call('SET', guard, token, 'PX', guard_ms)
else
  -- Also a leave to fill it, which was given during the change if Redis has evicted the guard.
  local holder = redis.call('GET', guard)
  if holder and (holder == token or holder:sub(1, #leave) == leave) then redis.call('UNLINK', guard) end
end
return 1
