-- Counts one attempt against every limit that it falls under, or, if one of them denies it, against none (GCRA).
-- KEYS limits...: each limit's theoretical arrival time, in µs of this server's clock; all keys share a hash tag
-- ARGV paces...: for each limit its µs per attempt, and its burst
-- A key lives until its time: from then on it says no more than no key. A time that no attempt can have led to (the
-- clock stepped back, the limit was changed) counts as the latest one that can have.
-- Returns the number of the limit that has to be waited for longest, and the µs to wait; {0, 0} if it is admitted.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local arrivals, longest, denying = {}, 0, 0
for number, key in ipairs(limits) do
  local interval, burst = tonumber(paces[2 * number - 1]), tonumber(paces[2 * number])
  local arrival = math.max(tonumber(redis.call('GET', key) or now), now)
  arrival = math.min(arrival, now + interval * burst)
  local wait = arrival - now - interval * (burst - 1)
  if wait > longest then longest, denying = wait, number end
  arrivals[number] = arrival + interval
end
if denying > 0 then return { denying, longest } end
for number, key in ipairs(limits) do
  local lifetime = math.max(1, math.ceil((arrivals[number] - now) / 1000))
  redis.call('SET', key, string.format('%.0f', arrivals[number]), 'PX', string.format('%.0f', lifetime))
end
return { 0, 0 }
