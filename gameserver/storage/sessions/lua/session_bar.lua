-- Bars sessions of earlier epochs from being opened, and tells which sessions there are.
-- FLAGS allow-oom: sessions end also while Redis is full, and one key for a minute is less than they are.
-- KEYS bar: the epoch below which no session of the player is opened
-- KEYS sessions: the player's session names, by the time they were opened
-- ARGV epoch: the player's present one
-- ARGV bar_ms: how long it holds: longer than an opening takes that still knows an earlier epoch
-- Returns the names, also of some that have gone.
-- include: barred
-- include: is_name
-- The bar never falls, whichever of two revocations comes first.
local highest = math.max(barred(), tonumber(epoch))
redis.call('SET', bar, string.format('%.0f', highest), 'PX', bar_ms)
local names = {}
for _, name in ipairs(redis.call('ZRANGE', sessions, 0, -1)) do
  if is_name(name) then names[#names + 1] = name end
end
return names
