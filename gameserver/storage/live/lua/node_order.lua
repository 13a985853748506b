-- Tells a node to drain, unless no other node takes new work by then, or to take new work again.
-- KEYS order: the node's
-- KEYS others...: the order and the figures of each other node, one after the other
-- ARGV said: what the node is told, as JSON
-- ARGV lasts_ms: how long that waits for the node
-- ARGV is_drain: 1: it is to drain
-- Returns 1, or 0 when it would have been the last one.
-- An order that a node hasn't told to have heard counts as carried out: two of them can't drain the last two nodes.
local function object(text)
  local is_json, fields = pcall(cjson.decode, text or '')
  return is_json and type(fields) == 'table' and fields or {}
end
local takes_work = is_drain ~= '1'
for place = 1, #others, 2 do
  local ordered, figures = redis.call('GET', others[place]), redis.call('GET', others[place + 1])
  local told, latest = object(figures), object(ordered)
  local drains = told.draining
  if latest.id and latest.id ~= told.heard then drains = latest.drain end
  if not drains then takes_work = true end
end
if not takes_work then return 0 end
redis.call('SET', order, said, 'PX', lasts_ms)
return 1
