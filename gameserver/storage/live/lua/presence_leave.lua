-- Deletes a node that stops.
-- KEYS nodes: name by the end of its lease, in ms
-- KEYS players: the node's
-- KEYS description: the node's
-- ARGV name: the node's
redis.call('ZREM', nodes, name)
redis.call('UNLINK', players, description)
return 1
