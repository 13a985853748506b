-- What was revoked since a node read last; a gap shows, because a read begins with the entry that was read last.
-- KEYS[1] the stream of revocations
-- ARGV[1] the id of the entry read last, or nothing   [2] how many to read, at the most   [3] overlap after a gap, in ms
-- Returns 1 when that entry is there, so that nothing was missed, or else 0; the id to go on from; what the entries
-- say that came after it, or, after a gap, the first one of those that lie less than [3] before the newest.
if ARGV[1] ~= '' then
  local found = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2] + 1)
  if found[1] and found[1][1] == ARGV[1] then
    local told = {}
    for each = 2, #found do told[each - 1] = found[each][2][2] end
    return { 1, found[#found][1], told }
  end
end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not newest then return { 0, redis.call('XADD', KEYS[1], '*', 'ended', ''), {} } end
local since = math.max(0, tonumber(newest[1]:match('^%d+')) - tonumber(ARGV[3]))
local first = redis.call('XRANGE', KEYS[1], string.format('%.0f', since), '+', 'COUNT', 1)[1]
return { 0, first[1], { first[2][2] } }
