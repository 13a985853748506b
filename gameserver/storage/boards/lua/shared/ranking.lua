-- What every answer about ranks says of the board, and how a rank is counted. Needs `places`.
-- include: ties

-- The board holds as of the time of the ledger that was followed least far; what is no time counts as none yet.
local LATEST = 253402300799999 -- in ms: the last moment that has a date of four digits
local as_of
for _, text in ipairs(redis.call('HVALS', keys .. 'as_of')) do
  local time = tonumber(text) or 0
  if not (time >= 0 and time <= LATEST) then time = 0 end
  if not as_of or time < as_of then as_of = time end
end
as_of = as_of or 0

local total = redis.call('ZCARD', order)
if shown > 0 and total > shown then total = shown end

-- The rank of the member at a place (from 0) with a score, by the board's ties.
local function rank_of(place, score)
  if ties == COMPETITION then return redis.call('ZCOUNT', order, '-inf', '(' .. score) + 1 end
  if ties == DENSE then return redis.call('ZCOUNT', keys .. 'scores', '-inf', '(' .. score) + 1 end
  return place + 1
end
