-- Tells each live node which of the players connected to it have changed.
-- KEYS nodes: name by the end of its lease, in ms
-- ARGV players_prefix: of the keys with the nodes' players
-- ARGV channel_prefix: of the nodes' channels
-- ARGV kind: what a message begins with
-- ARGV ids: of the players, separated by commas
-- ARGV numbers: what to say of each, separated by commas
-- Returns how many connected players there were, on all nodes.
-- include: milliseconds
local TOGETHER = 1000
local id_list, number_list, announced = {}, {}, 0

-- The lists are taken apart only where somebody is connected.
local function split_lists()
  if #id_list > 0 then return end
  for id in ids:gmatch('[^,]+') do id_list[#id_list + 1] = id end
  for number in numbers:gmatch('[^,]+') do number_list[#number_list + 1] = number end
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', nodes, milliseconds(), '+inf')) do
  local players, changed = players_prefix .. name, {}
  if redis.call('EXISTS', players) == 1 then
    split_lists()
    for first = 1, #id_list, TOGETHER do
      local last = math.min(first + TOGETHER - 1, #id_list)
      for place, is_here in ipairs(redis.call('SMISMEMBER', players, unpack(id_list, first, last))) do
        local at = first + place - 1
        if is_here == 1 then changed[#changed + 1] = id_list[at] .. ':' .. number_list[at] end
      end
    end
  end
  if #changed > 0 then redis.call('PUBLISH', channel_prefix .. name, kind .. table.concat(changed, ',')) end
  announced = announced + #changed
end
return announced
