-- Lists a player's sessions, oldest first, and deletes those that have expired, unless Redis can't write its files.
-- KEYS sessions: the player's session names, by the time they were opened
-- ARGV prefix: of the player's session keys
-- Returns {name, epoch, opened in ms, last used in ms, expiry in ms, label, address} of each.
local listed = {}
for _, name in ipairs(redis.call('ZRANGE', sessions, 0, -1)) do
  local key = prefix .. name
  local fields = redis.call('HMGET', key, 'epoch', 'opened', 'used', 'label', 'address')
  if fields[1] then
    listed[#listed + 1] = { name, tonumber(fields[1]), tonumber(fields[2]), tonumber(fields[3]),
      redis.call('PEXPIRETIME', key), fields[4] or '', fields[5] or '' }
  else
    redis.pcall('ZREM', sessions, name)
  end
end
return listed
