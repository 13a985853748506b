-- Checks a session and slides its expiry, never past its hard end.
-- KEYS session: its hash
-- ARGV idle_ms: how long it lives unused
-- Returns {epoch, ms since it was opened, ms to its expiry, ms to its hard end, whether by password}, or nothing when there
-- is no such session. Durations, since nodes have clocks of their own.
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
local opened, ends = tonumber(fields[2]), tonumber(fields[3])
return { tonumber(fields[1]), now - opened, expiry - now, ends - now, tonumber(fields[4] or 0) }
