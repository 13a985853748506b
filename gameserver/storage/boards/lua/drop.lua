-- Deletes a contest.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV generation: only if this is the live one: somebody else may have dropped it, and built it anew; '' for any
-- Returns how many states were deleted.
-- include: forget
local generations = redis.call('HMGET', state, 'live', 'next')
if generation ~= '' and generations[1] ~= generation then return 0 end
for _, each in ipairs({ generations[1] or '', generations[2] or '' }) do
  if each ~= '' then forget(each) end
end
return redis.call('UNLINK', state)
