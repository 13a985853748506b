-- A page of a board, from its top or after an entry.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2] places that the board shows, 0 for all   [3] how many
-- ARGV[4] the score and [5] the member after which it begins, both empty for the top
-- Returns {generation, the ledger's time as of which it holds, in ms, total, index of the first (from 0), its rank,
-- member, score, what is noted of him, member ...}, or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local prefix = ARGV[1] .. live .. ':'
local order, size, ties = prefix .. 'order', tonumber(ARGV[2]), live:sub(2, 2)

local function is_behind(member, other)
  local a, b = { struct.unpack('>I4I4I4I4', member) }, { struct.unpack('>I4I4I4I4', other) }
  for each = 1, 4 do
    if a[each] ~= b[each] then return a[each] > b[each] end
  end
  return false
end

local first = 0
if ARGV[4] ~= '' then
  local score = string.format('%.17g', tonumber(ARGV[4]) * (live:sub(1, 1) == '-' and -1 or 1))
  first = redis.call('ZCOUNT', order, '-inf', '(' .. score)
  local last = redis.call('ZCOUNT', order, '-inf', score)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if is_behind(redis.call('ZRANGE', order, middle, middle)[1], ARGV[5]) then last = middle else first = middle + 1 end
  end
end

local total = redis.call('ZCARD', order)
if size > 0 and total > size then total = size end
local as_of
for _, time in ipairs(redis.call('HVALS', prefix .. 'as_of')) do
  if not as_of or tonumber(time) < as_of then as_of = tonumber(time) end
end
local last = math.min(first + tonumber(ARGV[3]), total) - 1
local page = { live, as_of or 0, total, first, first + 1 }
if last < first then return page end
local found, ids = redis.call('ZRANGE', order, first, last, 'WITHSCORES'), {}
for each = 1, #found, 2 do ids[#ids + 1] = found[each]:sub(9, 16) end
local noted = redis.call('HMGET', prefix .. 'members', unpack(ids))
for each = 1, #found, 2 do
  page[#page + 1], page[#page + 2], page[#page + 3] = found[each], found[each + 1], noted[(each + 1) / 2]
end
if ties == 'c' then page[5] = redis.call('ZCOUNT', order, '-inf', '(' .. found[2]) + 1 end
if ties == 'd' then page[5] = redis.call('ZCOUNT', prefix .. 'scores', '-inf', '(' .. found[2]) + 1 end
return page
