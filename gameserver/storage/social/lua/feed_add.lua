-- Adds a player's newest entry to its feed, if the feed is cached and no version is missing in between.
-- KEYS feed: version, space, entry, if there is one; the newest first
-- ARGV version: the entry's
-- ARGV entry: with its version
-- ARGV length: entries kept, at the most
-- Returns 1 if it was added. A feed in which something is missing, or that has another command at this version, since the
-- database went back, is deleted: the next read fills it from the ledger.
local function command_of(row)
  return row and row:match('^%d+') == version and row:match('"command_id":"[^"]*"') or nil
end
local head = redis.call('LINDEX', feed, 0)
if not head then return 0 end
local missing = tonumber(version) - 1 - tonumber(head:match('^%d+') or 0)
local own = command_of(missing < 0 and redis.call('LINDEX', feed, -1 - missing))
if missing > 0 or (own and own ~= command_of(entry)) then redis.call('UNLINK', feed) end
if missing ~= 0 then return 0 end
redis.call('LPUSH', feed, entry)
redis.call('LTRIM', feed, 0, length - 1)
return 1
