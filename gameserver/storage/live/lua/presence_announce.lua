-- Tells each node that lives which of the players connected to it have changed.
-- KEYS[1] the nodes: name by the end of its lease, in ms
-- ARGV[1] the prefix of the nodes' players   [2] the prefix of their channels   [3] what a message begins with
-- ARGV[4] ids, by commas   [5] what to say of each, by commas
-- Returns how many players were told of, on all nodes.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ids, said, told = {}, {}, 0
for id in string.gmatch(ARGV[4], '[^,]+') do ids[#ids + 1] = id end
for text in string.gmatch(ARGV[5], '[^,]+') do said[#said + 1] = text end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  local players, changed = ARGV[1] .. name, {}
  if redis.call('EXISTS', players) == 1 then
    for first = 1, #ids, 1000 do
      local last = math.min(first + 999, #ids)
      for place, there in ipairs(redis.call('SMISMEMBER', players, unpack(ids, first, last))) do
        if there == 1 then changed[#changed + 1] = ids[first + place - 1] .. ':' .. said[first + place - 1] end
      end
    end
  end
  if #changed > 0 then redis.call('PUBLISH', ARGV[2] .. name, ARGV[3] .. table.concat(changed, ',')) end
  told = told + #changed
end
return told
