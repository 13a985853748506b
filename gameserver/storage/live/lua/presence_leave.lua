-- Takes a node off the list of those that live.
-- KEYS[1] the nodes: name by the end of its lease, in ms   KEYS[2] the node's players   KEYS[3] the node's description
-- ARGV[1] the node's name
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2], KEYS[3])
return 1
