-- Puts another push into the place of a stored one, if that is still there.
-- KEYS tail: number, space, push
-- ARGV old: the stored one, with its number
-- ARGV new: what takes its place
-- Returns 1, or 0 if it has gone.

local at = redis.call('LPOS', tail, old)
if not at then return 0 end
redis.call('LSET', tail, at, new)
return 1
