-- Puts a player's friends here, if nothing has happened to them since the caller got the leave.
-- KEYS[1] the set   KEYS[2] its guard    ARGV[1] the caller's token   [2] the set's lifetime, in ms   [3...] the members
-- Returns 1 if they were.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[2])
for each = 3, #ARGV do redis.call('SADD', KEYS[1], ARGV[each]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
