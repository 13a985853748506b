-- Counts attempts, each against every limit that it falls under (GCRA). If one of them denies it, it counts only against
-- those of the others that count denied attempts, too.
-- KEYS limits...: of each attempt in turn: each limit's theoretical arrival time, in µs of this server's clock; all keys
-- share a hash tag
-- ARGV paces: of each kind of limit its µs per attempt, its burst, and 1 if it counts denied attempts, too, else 0
-- ARGV kinds: of each attempt in turn the kinds of its limits, a digit each, and a space
-- A key lives until its time: from then on it says no more than no key. A time that no attempt can have led to (the
-- clock stepped back, the limit was changed) counts as the latest one that can have; what is no time, as none.
-- Returns for each attempt that is denied its number, that of its limit that has to be waited for longest, and the µs.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local intervals, latest, admitted, counting = {}, {}, {}, {}
local digit = string.byte('0')
for interval, burst, counts_denied in string.gmatch(paces, '(%d+) (%d+) (%d)') do
  digit = digit + 1
  intervals[digit], latest[digit] = tonumber(interval), now + interval * burst
  admitted[digit], counting[digit] = now + interval * (burst - 1), counts_denied == '1'
end
local found, attempt, first, arrivals = {}, 0, 0, {}
for fallen in string.gmatch(kinds, '%d+') do
  attempt = attempt + 1
  local denied, longest, denying = false, 0, 0
  for number = 1, #fallen do
    local kind = string.byte(fallen, number)
    local arrival = tonumber(redis.pcall('GET', limits[first + number]))
    if not (arrival and arrival > now) then arrival = now end
    if arrival > latest[kind] then arrival = latest[kind] end
    arrivals[number] = arrival
    denied = denied or arrival > admitted[kind]
  end
  for number = 1, #fallen do
    local kind, arrival = string.byte(fallen, number), arrivals[number]
    local wait = arrival - admitted[kind]
    if wait <= 0 and (counting[kind] or not denied) then
      arrival, wait = arrival + intervals[kind], wait + intervals[kind]
      local lifetime = math.max(1, math.ceil((arrival - now) / 1000))
      redis.call('SET', limits[first + number], arrival, 'PX', lifetime)
    end
    if denied and wait > longest then longest, denying = wait, number end
  end
  first = first + #fallen
  if denied then
    found[#found + 1], found[#found + 2], found[#found + 3] = attempt, denying, longest
  end
end
return found
