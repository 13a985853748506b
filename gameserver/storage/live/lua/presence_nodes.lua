-- The live nodes; those whose lease has ended are deleted from the list.
-- KEYS nodes: name by the end of its lease, in ms
-- ARGV players_prefix: of the keys with the nodes' players
-- ARGV description_prefix: of the keys with their descriptions
-- ARGV ids: of players to look for, separated by commas
-- Returns for each node its name, its description, its number of players, and which of the ids are connected to it.
-- include: milliseconds
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', milliseconds())
local wanted, live = {}, {}
for id in ids:gmatch('%d+') do wanted[#wanted + 1] = id end
for _, name in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do
  local players, here = players_prefix .. name, {}
  if #wanted > 0 then
    for place, is_here in ipairs(redis.call('SMISMEMBER', players, unpack(wanted))) do
      if is_here == 1 then here[#here + 1] = wanted[place] end
    end
  end
  local description = redis.call('GET', description_prefix .. name) or ''
  live[#live + 1] = { name, description, redis.call('SCARD', players), here }
end
return live
