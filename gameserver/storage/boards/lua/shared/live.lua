-- The generation that is served, and its keys; without one the script ends here and returns nothing.
-- Needs `state` and `prefix`.
-- CONST KEY: how a key is made of the contest's prefix, the generation's name and the part
local live = redis.call('HGET', state, 'live')
if not live then return false end
local order, members = KEY:format(prefix, live, 'order'), KEY:format(prefix, live, 'members')
