-- The rank that a player would have with another score, were it reached now.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV places: that the board shows, 0 for all
-- ARGV id: the player's, 8 bytes
-- ARGV score: as the board would show it
-- Returns the rank, 0 for one beyond the places that the board shows, or nothing when no generation is live.
-- include: ties
-- include: member_of
-- include: stored_score

-- The player's present place doesn't count.
local stored = stored_score(score)
local record, new = redis.call('HGET', members, id), tonumber(stored)
local own = record and tonumber(redis.call('ZSCORE', order, member_of(record, id)))
local ahead
if ties == COMPETITION then
  ahead = redis.call('ZCOUNT', order, '-inf', '(' .. stored) - (own and own < new and 1 or 0)
elseif ties == DENSE then
  local alone = own and own < new and redis.call('ZCOUNT', order, own, own) == 1
  ahead = redis.call('ZCOUNT', keys .. 'scores', '-inf', '(' .. stored) - (alone and 1 or 0)
else
  ahead = redis.call('ZCOUNT', order, '-inf', stored) - (own and own <= new and 1 or 0)
end
if shown > 0 and ahead >= shown then return 0 end
return ahead + 1
