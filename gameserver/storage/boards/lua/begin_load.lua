-- Says that a database's players are being loaded into a generation, and by which load: an earlier one's writes end
-- here, and whatever the followers had caught up with doesn't count any more.
-- KEYS[1] the generation's checkpoints    ARGV[1] database   [2] the load's name
-- Returns 1 if nothing of the database has been written to the generation before, else 0.
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field:sub(1, 6) == 'ready:' then redis.call('HDEL', KEYS[1], field) end
end
redis.call('HINCRBY', KEYS[1], 'load:count', 1)
redis.call('HSET', KEYS[1], 'loading:' .. ARGV[1], ARGV[2])
return redis.call('HSETNX', KEYS[1], 'load:began:' .. ARGV[1], 1)
