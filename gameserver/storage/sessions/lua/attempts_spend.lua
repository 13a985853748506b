-- Counts one attempt against every limit that it falls under (GCRA). If one of them denies it, it counts only against
-- those of the others that count denied attempts, too.
-- KEYS limits...: each limit's theoretical arrival time, in µs of this server's clock; all keys share a hash tag
-- ARGV paces...: for each limit its µs per attempt, its burst, and 1 if it counts denied attempts, too, else 0
-- A key lives until its time: from then on it says no more than no key. A time that no attempt can have led to (the
-- clock stepped back, the limit was changed) counts as the latest one that can have.
-- Returns the number of the limit that has to be waited for longest, and the µs to wait; {0, 0} if it is admitted.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local arrivals, waits, denied = {}, {}, false
for number, key in ipairs(limits) do
  local interval, burst = tonumber(paces[3 * number - 2]), tonumber(paces[3 * number - 1])
  local arrival = math.max(tonumber(redis.call('GET', key) or now) or now, now)
  arrivals[number] = math.min(arrival, now + interval * burst)
  waits[number] = arrivals[number] - now - interval * (burst - 1)
  denied = denied or waits[number] > 0
end
local longest, denying = 0, 0
for number, key in ipairs(limits) do
  local interval, counts_denied = tonumber(paces[3 * number - 2]), paces[3 * number] == '1'
  if waits[number] <= 0 and (counts_denied or not denied) then
    local arrival = arrivals[number] + interval
    local lifetime = math.max(1, math.ceil((arrival - now) / 1000))
    redis.call('SET', key, string.format('%.0f', arrival), 'PX', string.format('%.0f', lifetime))
    waits[number] = waits[number] + interval
  end
  if denied and waits[number] > longest then longest, denying = waits[number], number end
end
return { denying, longest }
