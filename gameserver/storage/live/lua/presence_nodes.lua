-- The nodes that live. Those whose lease has ended go off the list.
-- KEYS[1] the nodes: name by the end of its lease, in ms
-- ARGV[1] the prefix of the nodes' players   [2] the prefix of their descriptions   [3] player ids, by commas
-- Returns for each node its name, its description, its number of players, and which of the ids are connected to it.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local asked, found = {}, {}
for id in string.gmatch(ARGV[3], '%d+') do asked[#asked + 1] = id end
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local players, here = ARGV[1] .. name, {}
  if #asked > 0 then
    for place, there in ipairs(redis.call('SMISMEMBER', players, unpack(asked))) do
      if there == 1 then here[#here + 1] = asked[place] end
    end
  end
  found[#found + 1] = {name, redis.call('GET', ARGV[2] .. name) or '', redis.call('SCARD', players), here}
end
return found
