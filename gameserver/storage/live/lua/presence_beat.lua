-- Tells that a node lives, and who is connected to it.
-- KEYS[1] the nodes: name by the end of its lease, in ms   KEYS[2] the node's players   KEYS[3] the node's description
-- ARGV[1] the node's name   [2] its lease, in ms   [3] its description   [4] how many players it has now
-- ARGV[5] those who came, by commas   [6] those who left   [7] 1: those who came are all there are
-- Returns 1, or 0 when another number of players is known here: then the node tells all of them.
local function each(list, command)
  local part = {}
  for id in string.gmatch(list, '%d+') do
    part[#part + 1] = id
    if #part == 1000 then
      redis.call(command, KEYS[2], unpack(part))
      part = {}
    end
  end
  if #part > 0 then redis.call(command, KEYS[2], unpack(part)) end
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[7] == '1' then redis.call('UNLINK', KEYS[2]) end
each(ARGV[5], 'SADD')
each(ARGV[6], 'SREM')
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return redis.call('SCARD', KEYS[2]) == tonumber(ARGV[4]) and 1 or 0
