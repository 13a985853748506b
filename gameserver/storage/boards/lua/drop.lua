-- Forgets a contest.
-- KEYS[1] the contest's state    ARGV[1] the contest's prefix
for _, generation in ipairs(redis.call('HMGET', KEYS[1], 'live', 'next')) do
  if generation then
    for _, part in ipairs({ 'order', 'members', 'gone', 'gone_before', 'scores', 'checkpoints', 'as_of' }) do
      redis.call('UNLINK', ARGV[1] .. generation .. ':' .. part)
    end
  end
end
return redis.call('UNLINK', KEYS[1])
