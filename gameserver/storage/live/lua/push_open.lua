-- Where a player's stream stands, and what was kept since a number that a client has seen.
-- KEYS[1] his stream: its name, its last number, the last notice in it   KEYS[2] its tail: number, space, push
-- ARGV[1] a name for the stream if it is new   [2] pushes kept, at the most   [3] for how long, in ms
-- ARGV[4] the stream that the client knows, or nothing   [5] the last number that it has seen
-- ARGV[6] 1: tell what there is also when something is missing   [7] the newest notice's number
-- ARGV[8...] notices of late, a number and a push each, the oldest first
-- Returns the stream's name, its last number, whether nothing is missing since [5], and what came since.
if redis.call('HSETNX', KEYS[1], 'stream', ARGV[1]) == 1 then
  -- Who knew a stream had the notices of its time; what there is now came after Redis lost it.
  redis.call('HSET', KEYS[1], 'seq', 0, 'notice', ARGV[4] == '' and ARGV[7] or 0)
end
local last = tonumber(redis.call('HGET', KEYS[1], 'notice'))
for place = 8, #ARGV, 2 do
  if tonumber(ARGV[place]) > last then
    last = tonumber(ARGV[place])
    redis.call('HSET', KEYS[1], 'notice', ARGV[place])
    redis.call('RPUSH', KEYS[2], redis.call('HINCRBY', KEYS[1], 'seq', 1) .. ' ' .. ARGV[place + 1])
  end
end
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[2]), -1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local stream, seq = redis.call('HGET', KEYS[1], 'stream'), tonumber(redis.call('HGET', KEYS[1], 'seq'))
local seen = tonumber(ARGV[5])
if stream ~= ARGV[4] or seen > seq or seq - redis.call('LLEN', KEYS[2]) > seen then
  return {stream, seq, 0, ARGV[6] == '1' and redis.call('LRANGE', KEYS[2], 0, -1) or {}}
end
if seen == seq then return {stream, seq, 1, {}} end
return {stream, seq, 1, redis.call('LRANGE', KEYS[2], seen - seq, -1)}
