-- Where a player's stream stands, and what it got since a number that a client has seen.
-- KEYS stream: the player's: its name, its last number, the last notice in it, whether no client has been told of it,
-- from which number on it waits for one, and the second in which what waits was last sent to one
-- KEYS tail: number, space, push
-- ARGV name: for the stream if it is new, without its beginning
-- ARGV most: pushes stored, at the most
-- ARGV lifetime_ms: for how long
-- ARGV known: the stream that the client knows, or ''
-- ARGV seen_seq: the last number that it has seen
-- ARGV seen_mark: the SHA-1 of that push with its number, or '' if it isn't known
-- ARGV is_whole: 1: for an open socket: return what there is also when something is missing
-- ARGV is_greeted: 0: its hello is under way
-- ARGV sure_seconds: after so long an open socket has had what it was sent
-- ARGV newest: the newest notice's number
-- ARGV notices...: the latest, a number and a push each, the oldest first
-- Returns the stream's name, its last number, whether nothing is missing since `seen_seq`, what came since, and whether
-- letters of a sender that sent many were skipped in it.
-- include: trimmed
-- include: own_stream
-- include: new_name
drop_foreign()
-- A stream that began now would be without the notices to all that the hello may ask for.
if is_greeted == '0' and redis.call('EXISTS', stream) == 0 then return { '', 0, 0, {}, 0 } end

-- What isn't numbered stands in the place of pushes that are lost.
for _ = 1, most do
  local oldest = redis.call('LINDEX', tail, 0)
  if not oldest or number_of(oldest) > 0 then break end
  redis.call('LTRIM', tail, 1, -1)
end

-- The notice after which notices to all are for this client: an open socket has had those of its stream's time, so what
-- is stored now came after Redis lost both. One that comes back is sent those since its stream began, of which it may
-- have had some; without a stream that says when it began, none.
local after = tonumber(newest)
if known ~= '' and is_whole == '1' then
  after = 0
elseif known:find('^%x%x%x%x%x%x%x%x') then
  after = math.min(after, tonumber(known:sub(1, 8), 16) * 1000000)
end
local is_new = redis.call('HSETNX', stream, 'stream', new_name()) == 1
if is_new then
  -- What may be left of a stream that Redis has evicted has numbers of that one.
  redis.call('UNLINK', tail)
  redis.call('HSET', stream, 'seq', 0, 'notice', after)
end

-- A stream that began with a push to a player that wasn't connected: no client can know it, so those that come get what
-- waits in it, until one shows that it was told of the stream: the answer to a hello may be lost. Notices to all don't
-- wait for it there: one that says hello anew begins without them. Sockets that are caught up before their hello leave
-- what waits to that. What waits in any stream does so until a client comes back with a number that is as high, or an
-- open socket to which that was sent has stayed open: until then its client may have gone before.
local is_told = redis.call('HGET', stream, 'stream') == known
local is_unopened = redis.call('HEXISTS', stream, 'unopened') == 1
if is_told then redis.call('HDEL', stream, 'unopened') end
-- A node of an older version doesn't write down that the first waits.
local waits = is_unopened and 1 or tonumber(redis.call('HGET', stream, 'waits'))
local now, sent_at = tonumber(redis.call('TIME')[1]), tonumber(redis.call('HGET', stream, 'sent_at'))
local is_sure = is_whole == '0' or sent_at and now - sent_at >= tonumber(sure_seconds)

local function is_notice(entry) return entry:find('^%d+ %["notice"') end

-- A client that has seen more than there is, or another push of its number, had what Redis has lost again: what has the
-- same numbers belongs to another stream.
local function has_gone_back(beyond)
  if beyond <= 0 and seen_mark ~= '' then
    local entry = redis.call('LINDEX', tail, beyond - 1)
    return entry and number_of(entry) == tonumber(seen_seq) and redis.sha1hex(entry) ~= seen_mark
  end
  return beyond > 0
end
if is_told and has_gone_back(seen_seq - redis.call('HGET', stream, 'seq')) then
  redis.call('HSET', stream, 'stream', new_name())
  -- An open socket's numbers go on: what is stored gets higher ones than it has had.
  if is_whole == '1' then
    local entries = redis.call('LRANGE', tail, 0, -1)
    redis.call('UNLINK', tail)
    redis.call('HDEL', stream, 'lost', 'skipped')
    redis.call('HSET', stream, 'seq', seen_seq)
    for _, entry in ipairs(entries) do
      redis.call('RPUSH', tail, redis.call('HINCRBY', stream, 'seq', 1) .. entry:gsub('^%d+', ''))
    end
    waits = waits and seen_seq + 1
  end
elseif is_told and waits and is_sure and tonumber(seen_seq) >= waits then
  waits = nil
  for _, entry in ipairs(redis.call('LRANGE', tail, 0, -1)) do
    local number = number_of(entry)
    if not waits and number > tonumber(seen_seq) and is_notice(entry) then waits = number end
  end
end

local is_first = is_unopened and not is_told
if is_first and (is_whole == '0' or known == '') then
  redis.call('HSET', stream, 'notice', math.max(after, tonumber(redis.call('HGET', stream, 'notice'))))
end

-- Notices that the stream doesn't have yet join it.
local last = tonumber(redis.call('HGET', stream, 'notice'))
for at = 1, #notices, 2 do
  if tonumber(notices[at]) > last then
    last = tonumber(notices[at])
    redis.call('HSET', stream, 'notice', notices[at])
    redis.call('RPUSH', tail, redis.call('HINCRBY', stream, 'seq', 1) .. ' ' .. notices[at + 1])
  end
end
trimmed()
-- Those that a client comes back for wait like a notice to one player: the answer to this hello may be lost, too.
if is_new and known ~= '' and is_whole == '0' and redis.call('LLEN', tail) > 0 then waits = 1 end
if waits then redis.call('HSET', stream, 'waits', waits) else redis.call('HDEL', stream, 'waits', 'sent_at') end
for _, key in ipairs({ stream, tail }) do
  -- What waits may have longer than that.
  if waits then
    redis.call('PEXPIRE', key, lifetime_ms, 'NX')
    redis.call('PEXPIRE', key, lifetime_ms, 'GT')
  else
    redis.call('PEXPIRE', key, lifetime_ms)
  end
end

-- Another stream, or a number before what the tail has lost: something is missing. As long as no
-- sender's letter was skipped, numbers have no gaps, and the first in the tail says what was lost.
local current, seq = redis.call('HGET', stream, 'stream'), tonumber(redis.call('HGET', stream, 'seq'))
local skipped, seen = tonumber(redis.call('HGET', stream, 'skipped') or 0), tonumber(seen_seq)
local lost = tonumber(redis.call('HGET', stream, 'lost') or 0)
if skipped == 0 then lost = seq - redis.call('LLEN', tail) end
-- What came after a number; if a notice that waits is in it, that is sent now.
local function since(number)
  local entries, is_sent = {}, waits and redis.call('HEXISTS', stream, 'sent_at') == 0
  if number < seq then
    for _, entry in ipairs(redis.call('LRANGE', tail, 0, -1)) do
      if number_of(entry) > number then
        entries[#entries + 1] = entry
        is_sent = is_sent or waits and is_notice(entry) and number_of(entry) >= waits
      end
    end
  end
  if is_sent then redis.call('HSET', stream, 'sent_at', now) end
  return entries
end
if current ~= known or lost > seen then
  -- All of it has what can't be read, too: whoever reads it then begins another stream.
  local is_all = is_whole == '1' or is_first
  local before = is_all and -1 or waits and waits - 1 or seq
  return { current, seq, 0, since(before), skipped > math.max(before, 0) and 1 or 0 }
end
return { current, seq, 1, since(seen), skipped > seen and 1 or 0 }
