-- Deletes a contest that nobody has asked for of late.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV idle_seconds: for how long nobody must have asked
-- Returns 1 if nothing of it is left, else 0.
-- include: forget
local fields = redis.call('HMGET', state, 'live', 'next', 'asked')
local idle = math.abs(tonumber(redis.call('TIME')[1]) - (tonumber(fields[3]) or 0))
if idle < tonumber(idle_seconds) then return 0 end
for _, each in ipairs({ fields[1] or '', fields[2] or '' }) do
  if each ~= '' then forget(each) end
end
redis.call('UNLINK', state)
return 1
