-- Opens a session, and returns which of the player's are too many: the oldest of those that haven't expired.
-- KEYS session: its hash
-- KEYS sessions: the player's session names, by the time they were opened
-- KEYS bar: the epoch below which no session of the player is opened
-- ARGV idle_ms: how long it lives unused
-- ARGV longest_ms: how long it lives at the most
-- ARGV per_player: sessions of a player, at the most
-- ARGV name: the session's
-- ARGV prefix: of the player's session keys
-- ARGV epoch: the player's session epoch
-- ARGV label: what the client calls itself
-- ARGV address: the client's
-- ARGV by_password: 1 if the player's password opened it, else 0
-- Returns the names of those to be ended; nothing when the epoch is barred, so that no session was opened.
-- include: milliseconds
-- include: barred
-- include: is_name
if tonumber(epoch) < barred() then return false end
local now, idle, longest = milliseconds(), tonumber(idle_ms), tonumber(longest_ms)
redis.call('HSET', session, 'epoch', epoch, 'opened', now, 'used', now, 'ends', now + longest,
  'label', label, 'address', address, 'by_password', by_password)
redis.call('PEXPIREAT', session, now + math.min(idle, longest))

redis.call('ZADD', sessions, now, name)
-- The list outlives all that is in it, also when sessions were longer before.
redis.call('PEXPIREAT', sessions, now + longest, 'NX')
redis.call('PEXPIREAT', sessions, now + longest, 'GT')

-- There may be too many. Those that have expired leave the list, and so does what is no session: it takes no place.
local over = redis.call('ZCARD', sessions) - tonumber(per_player)
local others = {}
for _, other in ipairs(over > 0 and redis.call('ZRANGE', sessions, 0, -1) or {}) do
  if redis.call('EXISTS', prefix .. other) == 0 or not is_name(other) then
    over = over - redis.call('ZREM', sessions, other)
  elseif other ~= name then
    others[#others + 1] = other
  end
end
local ending = {}
for at = 1, math.min(over, #others) do ending[at] = others[at] end
return ending
