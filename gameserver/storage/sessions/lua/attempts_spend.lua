-- Counts attempts, each against every limit that it falls under (GCRA). If one of them denies it, it counts only against
-- those of the others that count denied attempts, too.
-- KEYS limits...: of each attempt in turn: each limit's theoretical arrival time, in µs of this server's clock; all keys
-- share a hash tag
-- ARGV paces: of each kind of limit its µs per attempt, its burst, and 1 if it counts denied attempts, too, else 0
-- ARGV kinds...: for each attempt the kinds of its limits, a digit each
-- A key lives until its time: from then on it says no more than no key. A time that no attempt can have led to (the
-- clock stepped back, the limit was changed) counts as the latest one that can have; what is no time, as none.
-- Returns for each attempt that is denied its number, that of its limit that has to be waited for longest, and the µs.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local intervals, bursts, counting = {}, {}, {}
for interval, burst, counts_denied in string.gmatch(paces, '(%d+) (%d+) (%d)') do
  intervals[#intervals + 1], bursts[#bursts + 1] = tonumber(interval), tonumber(burst)
  counting[#counting + 1] = counts_denied == '1'
end
local found, first = {}, 0
for attempt, fallen in ipairs(kinds) do
  local arrivals, waits, denied = {}, {}, false
  for number = 1, #fallen do
    local kind = string.byte(fallen, number) - 48
    local arrival = tonumber(redis.pcall('GET', limits[first + number]))
    if not (arrival and arrival > now) then arrival = now end
    arrivals[number] = math.min(arrival, now + intervals[kind] * bursts[kind])
    waits[number] = arrivals[number] - now - intervals[kind] * (bursts[kind] - 1)
    denied = denied or waits[number] > 0
  end
  local longest, denying = 0, 0
  for number = 1, #fallen do
    local kind = string.byte(fallen, number) - 48
    if waits[number] <= 0 and (counting[kind] or not denied) then
      local arrival = arrivals[number] + intervals[kind]
      local lifetime = math.max(1, math.ceil((arrival - now) / 1000))
      redis.call('SET', limits[first + number], arrival, 'PX', lifetime)
      waits[number] = waits[number] + intervals[kind]
    end
    if denied and waits[number] > longest then longest, denying = waits[number], number end
  end
  first = first + #fallen
  if denied then
    found[#found + 1], found[#found + 2], found[#found + 3] = attempt, denying, longest
  end
end
return found
