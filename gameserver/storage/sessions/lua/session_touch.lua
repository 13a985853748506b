-- Checks a session and slides its expiry, never past its hard end.
-- KEYS[1] the session's hash    ARGV[1] idle time, in ms
-- Returns {epoch, opened in ms, expiry in ms, hard end in ms}, or nothing when there is no such session.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'opened', 'ends')
if not found[1] then return false end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local expiry = math.min(now + tonumber(ARGV[1]), tonumber(found[3]))
if expiry <= now then
  redis.call('UNLINK', KEYS[1])
  return false
end
redis.call('HSET', KEYS[1], 'used', now)
redis.call('PEXPIREAT', KEYS[1], expiry)
return { tonumber(found[1]), tonumber(found[2]), expiry, tonumber(found[3]) }
