-- The generation that is served, and its keys; without one the script ends here and returns nothing.
-- Needs `state` and `prefix`.
-- CONST KEY: how a key is made of the contest's prefix, the generation's name and the part, which comes last
local live = redis.call('HGET', state, 'live')
if not live then return false end
local keys = KEY:format(prefix, live, '')
local order, members = keys .. 'order', keys .. 'members'
