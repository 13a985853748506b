-- Some of the players who have a record on a board: a part of all of them, or some at random.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV cursor: to go on from, 0 for the first part; or 'any' for a random choice
-- ARGV limit: how many
-- Returns {generation, the next cursor, 0 after the last part; how many are in the order, how many have a record;
-- ids ...}, or nothing when no generation is live. A player who stays on the board from the first call to the last is
-- returned at least once.
-- include: live
local page = { live, '0', redis.call('ZCARD', order), redis.call('HLEN', members) }
if cursor == 'any' then
  for _, id in ipairs(redis.call('HRANDFIELD', members, limit)) do page[#page + 1] = id end
  return page
end
local part = redis.call('HSCAN', members, cursor, 'COUNT', limit)
page[2] = part[1]
for at = 1, #part[2], 2 do page[#page + 1] = part[2][at] end
return page
