-- Lists a player's sessions, oldest first, and forgets those that have expired.
-- KEYS[1] the player's index    ARGV[1] the prefix of the player's session keys
-- Returns {name, epoch, opened in ms, last used in ms, expiry in ms, label, address} of each.
local listed = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = ARGV[1] .. name
  local found = redis.call('HMGET', key, 'epoch', 'opened', 'used', 'label', 'address')
  if found[1] then
    listed[#listed + 1] = { name, tonumber(found[1]), tonumber(found[2]), tonumber(found[3]),
      redis.call('PEXPIRETIME', key), found[4] or '', found[5] or '' }
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
return listed
