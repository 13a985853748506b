-- Lists a player's sessions, oldest first, and deletes those that have expired, unless Redis can't write its files.
-- KEYS sessions: the player's session names, by the time they were opened
-- ARGV prefix: of the player's session keys
-- Returns {name, epoch, opened in ms, last used in ms, expiry in ms, label, address} of each.
-- include: session_at
-- include: is_name
local listed = {}
for _, name in ipairs(redis.call('ZRANGE', sessions, 0, -1)) do
  local key = prefix .. name
  local session = is_name(name) and session_at(key)
  if session then
    listed[#listed + 1] = { name, session.epoch, session.opened, session.used, redis.call('PEXPIRETIME', key),
      session.label, session.address }
  else
    redis.pcall('ZREM', sessions, name)
  end
end
return listed
