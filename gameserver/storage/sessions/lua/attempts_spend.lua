-- Counts one attempt against every limit that it falls under, or, if one of them denies it, against none (GCRA).
-- KEYS[i] the i-th limit's time of rest, in µs of this server's clock; all keys share a hash tag
-- ARGV[2i-1] its µs per attempt   [2i] its burst
-- A key lives until its time of rest: from then on it says no more than no key. A time of rest that no attempt can
-- have led to (the clock stepped back, the limit was changed) counts as the farthest one that can have.
-- Returns the number of the limit that has to be waited for longest, and the µs to wait; {0, 0} if it is admitted.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local rests, longest, denying = {}, 0, 0
for each, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * each - 1]), tonumber(ARGV[2 * each])
  local rest = math.max(tonumber(redis.call('GET', key) or now), now)
  rest = math.min(rest, now + interval * burst)
  local wait = rest - now - interval * (burst - 1)
  if wait > longest then longest, denying = wait, each end
  rests[each] = rest + interval
end
if denying > 0 then return { denying, longest } end
for each, key in ipairs(KEYS) do
  local lifetime = math.max(1, math.ceil((rests[each] - now) / 1000))
  redis.call('SET', key, string.format('%.0f', rests[each]), 'PX', string.format('%.0f', lifetime))
end
return { 0, 0 }
