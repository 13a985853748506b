-- Keeps a push for a player, numbered in his stream.
-- KEYS[1] his stream: its name, its last number, the last notice in it   KEYS[2] its tail: number, space, push
-- ARGV[1] a name for the stream if it is new   [2] pushes kept, at the most   [3] for how long, in ms   [4] the push
-- Returns its number.
if redis.call('HSETNX', KEYS[1], 'stream', ARGV[1]) == 1 then redis.call('HSET', KEYS[1], 'seq', 0, 'notice', 0) end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('RPUSH', KEYS[2], seq .. ' ' .. ARGV[4])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[2]), -1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return seq
