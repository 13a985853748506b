-- What a board has of some players.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV ids...: player ids, 8 bytes each
-- Returns {generation, the ledgers' times in ms of the databases that are followed in it: database, time ..., for each id
-- its record and its member's score, each empty when there is none}, or nothing when no generation is live.
-- include: live
-- include: member_of
local entries = {}
for number, id in ipairs(ids) do
  local record = redis.call('HGET', members, id)
  local score = record and redis.call('ZSCORE', order, member_of(record, id))
  entries[number] = { record or '', score or '' }
end
-- One that has only joined has a time, too.
local times, followed = redis.call('HGETALL', keys .. 'as_of'), {}
for at = 1, #times, 2 do
  if redis.call('HEXISTS', keys .. 'checkpoints', times[at]) == 1 then
    followed[#followed + 1], followed[#followed + 2] = times[at], times[at + 1]
  end
end
return { live, followed, entries }
