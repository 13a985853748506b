-- Says that a database's players are being loaded into a generation, and by which load: the writes of an earlier load
-- end here, since they expect its name.
-- KEYS checkpoints: the generation's
-- ARGV database: whose players are loaded
-- ARGV load: the load's name, and that it hasn't come anywhere yet
-- CONST LOADING: how the checkpoints' field begins that names the load of a database, and says how far it has come
-- CONST LOAD_BEGAN: how the field begins that says that something of a database has been loaded
-- CONST LOADS: the field that counts the loads
-- CONST READY: how the field begins that says that a database's follower has caught up
-- Returns 1 if nothing of the database has been written to the generation before, else 0.

-- The followers have to catch up anew, with what this load brings, too.
for _, field in ipairs(redis.call('HKEYS', checkpoints)) do
  if field:sub(1, #READY) == READY then redis.call('HDEL', checkpoints, field) end
end
-- The count names this state of the loads; the load's name is what its writes will expect.
redis.call('HINCRBY', checkpoints, LOADS, 1)
redis.call('HSET', checkpoints, LOADING .. database, load)
return redis.call('HSETNX', checkpoints, LOAD_BEGAN .. database, 1)
