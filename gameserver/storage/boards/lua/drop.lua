-- Deletes a contest.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- include: forget
for _, generation in ipairs(redis.call('HMGET', state, 'live', 'next')) do
  if generation then forget(generation) end
end
return redis.call('UNLINK', state)
