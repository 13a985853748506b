-- The generation that is served, and its keys; without one, or when a part of it is missing, the script ends here and
-- returns nothing: the followers then build it anew.
-- Needs `state` and `prefix`.
-- CONST KEY: how a key is made of the contest's prefix, the generation's name and the part, which comes last
-- CONST WHOLE: the checkpoints' field that says that a generation has become live whole
-- include: is_intact
local live = redis.call('HGET', state, 'live')
if not live then return false end
local keys = KEY:format(prefix, live, '')
local order, members = keys .. 'order', keys .. 'members'
if redis.call('HEXISTS', keys .. 'checkpoints', WHOLE) == 0
  or not is_intact(live, order, members, keys .. 'scores', keys .. 'checkpoints') then return false end
