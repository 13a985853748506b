-- The epoch below which no session of the player is opened, 0 for none. Needs `bar`.
-- Every bar is a number and ends by itself; what isn't, or doesn't, is no bar.
local HIGHEST = 9007199254740992 -- that of a player that doesn't exist
local function barred()
  local text = redis.call('GET', bar)
  if not text or text:find('%D') or redis.call('PEXPIRETIME', bar) == -1 then return 0 end
  local epoch = tonumber(text) or 0
  return epoch <= HIGHEST and epoch or 0
end
