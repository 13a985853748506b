-- The entries around a player, himself in the middle.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2] places that the board shows, 0 for all   [3] player id, 8 bytes
-- ARGV[4] how many on either side
-- Returns what board_page.lua does, an empty list when he isn't on the board, or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local prefix = ARGV[1] .. live .. ':'
local order, size, ties = prefix .. 'order', tonumber(ARGV[2]), live:sub(2, 2)
local own = redis.call('HGET', prefix .. 'members', ARGV[3])
if not own then return {} end
local place, total = redis.call('ZRANK', order, own:sub(1, 8) .. ARGV[3]), redis.call('ZCARD', order)
if size > 0 and total > size then total = size end
if place >= total then return {} end
local as_of
for _, time in ipairs(redis.call('HVALS', prefix .. 'as_of')) do
  if not as_of or tonumber(time) < as_of then as_of = tonumber(time) end
end
local first, last = math.max(0, place - tonumber(ARGV[4])), math.min(place + tonumber(ARGV[4]), total - 1)
local page = { live, as_of or 0, total, first, first + 1 }
local found, ids = redis.call('ZRANGE', order, first, last, 'WITHSCORES'), {}
for each = 1, #found, 2 do ids[#ids + 1] = found[each]:sub(9, 16) end
local noted = redis.call('HMGET', prefix .. 'members', unpack(ids))
for each = 1, #found, 2 do
  page[#page + 1], page[#page + 2], page[#page + 3] = found[each], found[each + 1], noted[(each + 1) / 2]
end
if ties == 'c' then page[5] = redis.call('ZCOUNT', order, '-inf', '(' .. found[2]) + 1 end
if ties == 'd' then page[5] = redis.call('ZCOUNT', prefix .. 'scores', '-inf', '(' .. found[2]) + 1 end
return page
