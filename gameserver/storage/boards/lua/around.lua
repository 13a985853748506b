-- The entries around a player, with the player in the middle.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV places: that the board shows, 0 for all
-- ARGV id: the player's, 8 bytes
-- ARGV radius: entries on either side, at the most
-- Returns what `page_of` does, an empty list when the player isn't on the board, or nothing when no generation is live.
-- include: page_of
-- include: member_of

local record = redis.call('HGET', members, id)
if not record then return {} end

-- A player beyond the places that the board shows isn't on it.
local place = redis.call('ZRANK', order, member_of(record, id))
if place >= total then return {} end
return page_of(math.max(0, place - tonumber(radius)), math.min(place + tonumber(radius), total - 1))
