-- A page of a board, from its top or after an entry.
-- KEYS[1] the board's state
-- ARGV[1] the board's prefix   [2] how many   [3] the score and [4] the member after which it begins, both empty for the top
-- Returns {total, index of the first (from 0), member, score, member, score ...}, or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local order = ARGV[1] .. live .. ':order'
local first = 0
if ARGV[3] ~= '' then
  first = redis.call('ZCOUNT', order, '-inf', '(' .. ARGV[3])
  local last = redis.call('ZCOUNT', order, '-inf', ARGV[3])
  while first < last do
    local middle = math.floor((first + last) / 2)
    if redis.call('ZRANGE', order, middle, middle)[1] <= ARGV[4] then first = middle + 1 else last = middle end
  end
end
local page = { redis.call('ZCARD', order), first }
for _, each in ipairs(redis.call('ZRANGE', order, first, first + tonumber(ARGV[2]) - 1, 'WITHSCORES')) do
  page[#page + 1] = each
end
return page
