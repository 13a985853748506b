-- Stores a push for a player, numbered in its stream.
-- KEYS stream: the player's: its name, its last number, the last notice in it
-- KEYS tail: number, space, push
-- ARGV name: for the stream if it is new
-- ARGV most: pushes stored, at the most
-- ARGV lifetime_ms: for how long
-- ARGV push: the one to store
-- Returns its number.
if redis.call('HSETNX', stream, 'stream', name) == 1 then redis.call('HSET', stream, 'seq', 0, 'notice', 0) end
local seq = redis.call('HINCRBY', stream, 'seq', 1)
redis.call('RPUSH', tail, seq .. ' ' .. push)
redis.call('LTRIM', tail, -tonumber(most), -1)
redis.call('PEXPIRE', stream, lifetime_ms)
redis.call('PEXPIRE', tail, lifetime_ms)
return seq
