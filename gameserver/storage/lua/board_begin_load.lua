-- Says that a database's players are being loaded into a generation, and by which load: an earlier one's writes end here.
-- KEYS[1] the generation's checkpoints    ARGV[1] database   [2] the load's name
redis.call('HSET', KEYS[1], 'loading:' .. ARGV[1], ARGV[2])
return 1
