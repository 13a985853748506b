-- Caches a player's friends, if nothing has happened to them since the caller got its leave.
-- KEYS friends: the set
-- KEYS guard: who may fill it
-- ARGV token: the caller's leave
-- ARGV lifetime_ms: of the set
-- ARGV members...: the friends, and the player itself
-- Returns 1 if they were.
if redis.call('GET', guard) ~= token then return 0 end
redis.call('UNLINK', friends, guard)
for _, member in ipairs(members) do redis.call('SADD', friends, member) end
redis.call('PEXPIRE', friends, lifetime_ms)
return 1
