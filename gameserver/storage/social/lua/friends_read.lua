-- A player's cached friends, or the leave to cache them.
-- KEYS friends: the set: the friends and the player itself
-- KEYS guard: who may fill it, or is changing what it derives from
-- ARGV token: the caller's
-- ARGV leave_ms: for how long a leave holds
-- Returns 1 and the members; or 0 and the token if the caller may fill the set with it, or '' if it may not.
local members = redis.call('SMEMBERS', friends)
if #members > 0 then return { 1, members } end
if redis.call('SET', guard, token, 'NX', 'PX', leave_ms) then return { 0, token } end
-- Every guard ends by itself; what doesn't isn't one.
if redis.call('PEXPIRETIME', guard) == -1 then redis.call('UNLINK', guard) end
return { 0, '' }
