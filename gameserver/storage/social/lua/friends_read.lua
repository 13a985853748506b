-- A player's friends, or the leave to put them here.
-- KEYS[1] the set: his friends and himself   KEYS[2] its guard: who may fill it, or is changing what it derives from
-- ARGV[1] a token   [2] for how long it holds, in ms
-- Returns 1 and the members; or 0 and the token if the caller may fill the set with it, or nothing if he may not.
local members = redis.call('SMEMBERS', KEYS[1])
if #members > 0 then return { 1, members } end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return { 0, ARGV[1] } end
return { 0, '' }
