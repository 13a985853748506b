-- A page of a board, from its top or behind an entry that may have moved or left meanwhile.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV places: that the board shows, 0 for all
-- ARGV limit: entries, at the most
-- ARGV score: behind which it begins, empty for the top
-- ARGV after: the member behind which it begins, among those of that score
-- Returns what `page_of` does, or nothing when no generation is live.
-- include: page_of
-- include: stored_score

-- Byte by byte, as Redis orders members: Lua's own comparison depends on the locale.
local function is_behind(member, other)
  local words, others = { struct.unpack('>I4I4I4I4', member) }, { struct.unpack('>I4I4I4I4', other) }
  for at = 1, 4 do
    if words[at] ~= others[at] then return words[at] > others[at] end
  end
  return false
end

local first = 0
if score ~= '' then
  -- The places of those who have this score.
  local stored = stored_score(score)
  first = redis.call('ZCOUNT', order, '-inf', '(' .. stored)
  local last = redis.call('ZCOUNT', order, '-inf', stored)

  -- The first of them that stands behind the member, by bisection.
  while first < last do
    local middle = math.floor((first + last) / 2)
    if is_behind(redis.call('ZRANGE', order, middle, middle)[1], after) then last = middle else first = middle + 1 end
  end
end

return page_of(first, math.min(first + tonumber(limit), total) - 1)
