-- Begins a next generation, unless one is being built already; replaces that one if it is the unusable one.
-- KEYS state: the contest's state
-- ARGV prefix: of the contest's keys
-- ARGV name: for the new generation
-- ARGV unusable: the generation that must not be built any further
-- Returns the next generation's name.
-- include: forget
local building = redis.call('HGET', state, 'next')
if building and building ~= unusable then return building end
redis.call('HSET', state, 'next', name)
if building then forget(building) end
return name
