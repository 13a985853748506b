-- Stores a push for a player, numbered in its stream.
-- KEYS stream: the player's: its name, its last number, the last notice in it, whether no client has been told of it,
-- and from which number on it waits for one
-- KEYS tail: number, space, push
-- ARGV name: for the stream if it is new, without its beginning
-- ARGV most: pushes stored, at the most
-- ARGV lifetime_ms: for how long one stays that waits for the player
-- ARGV does_wait: 1: it waits for the player, also for one without a stream, who isn't connected and hasn't been of late
-- ARGV push: the one to store
-- ARGV author: what a letter has in common with all of its sender, or ''
-- ARGV share: how many of them are stored, at the most; the oldest goes first
-- Returns its number, or 0 when it isn't stored.
-- include: trimmed
-- include: own_stream
-- include: new_name

drop_foreign()
if redis.call('EXISTS', stream) == 0 then
  if does_wait == '0' then return 0 end
  -- What may be left of a stream that Redis has evicted has numbers of that one.
  redis.call('UNLINK', tail)
  redis.call('HSET', stream, 'stream', new_name(), 'seq', 0, 'notice', 0, 'unopened', 1)
  redis.call('PEXPIRE', stream, lifetime_ms)
end
local seq = redis.call('HINCRBY', stream, 'seq', 1)
redis.call('RPUSH', tail, seq .. ' ' .. push)
if does_wait == '1' then
  redis.call('HSETNX', stream, 'waits', seq)
  redis.call('PEXPIRE', stream, lifetime_ms, 'GT')
end
trimmed()
-- A sender with more than its share loses its oldest letter; `skipped` is the highest number that went that way.
if author ~= '' and redis.call('LLEN', tail) > tonumber(share) then
  local count, oldest = 0, nil
  for _, entry in ipairs(redis.call('LRANGE', tail, 0, -1)) do
    if string.find(entry, author, 1, true) then
      count = count + 1
      oldest = oldest or entry
    end
  end
  if count > tonumber(share) then
    redis.call('LREM', tail, 1, oldest)
    local skipped = tonumber(redis.call('HGET', stream, 'skipped') or 0)
    redis.call('HSET', stream, 'skipped', math.max(skipped, number_of(oldest)))
  end
end
redis.call('PEXPIREAT', tail, redis.call('PEXPIRETIME', stream))
return seq
