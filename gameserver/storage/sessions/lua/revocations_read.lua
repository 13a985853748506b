-- What was revoked since a node's last read; a gap shows, because a read begins with the entry that was read last.
-- KEYS stream: of revocations
-- ARGV last: the id of the entry that was read last, or ''
-- ARGV limit: entries, at the most
-- ARGV overlap_ms: how far before the newest entry a reader begins after a gap
-- Returns 1 when that entry is there, so that nothing was missed, or else 0; the id to go on from, '' if nothing is
-- there at all; the texts of the entries after it, or, after a gap, of the first one within the overlap.

-- Without a gap: what comes after the last entry.
if last ~= '' then
  local entries = redis.call('XRANGE', stream, last, '+', 'COUNT', limit + 1)
  if entries[1] and entries[1][1] == last then
    local texts = {}
    for number = 2, #entries do texts[number - 1] = entries[number][2][2] end
    return { 1, entries[#entries][1], texts }
  end
end

local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if not newest then return { 0, '', {} } end

-- A gap.
local since = math.max(0, tonumber(newest[1]:match('^%d+')) - tonumber(overlap_ms))
local first = redis.call('XRANGE', stream, string.format('%.0f', since), '+', 'COUNT', 1)[1]
return { 0, first[1], { first[2][2] } }
