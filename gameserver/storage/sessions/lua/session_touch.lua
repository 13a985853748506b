-- Checks a session and slides its expiry, never past its hard end.
-- KEYS session: its hash
-- ARGV idle_ms: how long it lives unused
-- Returns {epoch, ms since it was opened, ms to its expiry, ms to its hard end, whether by password}, or nothing when there
-- is no such session. Durations, since nodes have clocks of their own.
-- A server that is out of memory refuses a script's first write if that could take more, but not the expiry, nor what
-- comes after it. One that can't write its files refuses both, and what it has counts nevertheless. A replica, and a
-- master that was cut off, refuse for another reason: others may have ended the session.
-- include: milliseconds
-- include: session_at
local found = session_at(session)
if not found then return false end
local now = milliseconds()
local expiry = math.min(now + tonumber(idle_ms), found.ends)
if expiry <= now then
  redis.call('UNLINK', session)
  return false
end
local slid = redis.pcall('PEXPIREAT', session, expiry)
if type(slid) == 'number' then
  redis.call('HSET', session, 'used', now)
elseif slid.err:sub(1, 7) ~= 'MISCONF' then
  return slid
end
return { found.epoch, now - found.opened, expiry - now, found.ends - now, found.by_password }
