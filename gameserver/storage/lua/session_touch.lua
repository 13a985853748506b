-- Checks a session and slides its expiry, never past its hard end.
-- KEYS[1] the session's hash
-- ARGV[1] now, in ms   [2] idle time, in ms
-- Returns {epoch, opened in ms, expiry in ms}, or nothing when there is no such session.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'opened', 'ends')
if not found[1] then return false end
local now = tonumber(ARGV[1])
local expiry = math.min(now + tonumber(ARGV[2]), tonumber(found[3]))
if expiry <= now then
  redis.call('UNLINK', KEYS[1])
  return false
end
redis.call('HSET', KEYS[1], 'used', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], expiry)
return { tonumber(found[1]), tonumber(found[2]), expiry }
