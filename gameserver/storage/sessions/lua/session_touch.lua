-- Checks a session and slides its expiry, never past its hard end.
-- KEYS session: its hash
-- ARGV idle_ms: how long it lives unused
-- Returns {epoch, opened in ms, expiry in ms, hard end in ms, whether by password}, or nothing when there is no such session.
-- include: milliseconds
local fields = redis.call('HMGET', session, 'epoch', 'opened', 'ends', 'by_password')
if not fields[1] then return false end
local now = milliseconds()
local expiry = math.min(now + tonumber(idle_ms), tonumber(fields[3]))
if expiry <= now then
  redis.call('UNLINK', session)
  return false
end
redis.call('HSET', session, 'used', now)
redis.call('PEXPIREAT', session, expiry)
return { tonumber(fields[1]), tonumber(fields[2]), expiry, tonumber(fields[3]), tonumber(fields[4] or 0) }
