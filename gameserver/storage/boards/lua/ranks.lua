-- The ranks of some players, all of one moment.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV places: that the board shows, 0 for all
-- ARGV ids...: player ids, 8 bytes each
-- Returns {generation, the ledger's time as of which it holds, in ms, total, {rank, how many stand behind with a worse
-- score, member, score, record} or an empty list for each id}, or nothing when no generation is live.
-- include: ranking
-- include: member_of

local ranks = {}
for number, record in ipairs(redis.call('HMGET', members, unpack(ids))) do
  ranks[number] = {}
  if record then
    local member = member_of(record, ids[number])
    local place, score = redis.call('ZRANK', order, member), redis.call('ZSCORE', order, member)
    -- A player beyond the places that the board shows has no rank.
    if place < total then
      local behind = math.max(0, total - redis.call('ZCOUNT', order, '-inf', score))
      ranks[number] = { rank_of(place, score), behind, member, score, record }
    end
  end
end
return { live, as_of, total, ranks }
