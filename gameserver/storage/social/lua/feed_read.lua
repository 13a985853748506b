-- A player's feed, which stays for as long again.
-- KEYS[1] the feed: version, space, entry; the newest first    ARGV[1] its lifetime, in ms   [2] how many are wanted
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('LRANGE', KEYS[1], 0, ARGV[2] - 1)
