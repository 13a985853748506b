-- The ranks of some players, all of one moment.
-- KEYS[1] the contest's state
-- ARGV[1] the contest's prefix   [2] places that the board shows, 0 for all   [3...] player ids, 8 bytes each
-- Returns {generation, the ledger's time as of which it holds, in ms, total, {rank, how many stand behind with a worse
-- score, member, score, what is noted of him} or an empty list for each id}, or nothing when no generation is live.
local live = redis.call('HGET', KEYS[1], 'live')
if not live then return false end
local prefix = ARGV[1] .. live .. ':'
local order, size, ties = prefix .. 'order', tonumber(ARGV[2]), live:sub(2, 2)
local total, ranks = redis.call('ZCARD', order), {}
if size > 0 and total > size then total = size end
local as_of
for _, time in ipairs(redis.call('HVALS', prefix .. 'as_of')) do
  if not as_of or tonumber(time) < as_of then as_of = tonumber(time) end
end
local ids = {}
for each = 3, #ARGV do ids[#ids + 1] = ARGV[each] end
for each, noted in ipairs(redis.call('HMGET', prefix .. 'members', unpack(ids))) do
  ranks[each] = {}
  if noted then
    local member = noted:sub(1, 8) .. ids[each]
    local place, score = redis.call('ZRANK', order, member), redis.call('ZSCORE', order, member)
    if place < total then
      local rank = place + 1
      if ties == 'c' then rank = redis.call('ZCOUNT', order, '-inf', '(' .. score) + 1 end
      if ties == 'd' then rank = redis.call('ZCOUNT', prefix .. 'scores', '-inf', '(' .. score) + 1 end
      local behind = math.max(0, total - redis.call('ZCOUNT', order, '-inf', score))
      ranks[each] = { rank, behind, member, score, noted }
    end
  end
end
return { live, as_of or 0, total, ranks }
