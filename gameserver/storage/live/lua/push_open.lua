-- Where a player's stream stands, and what it got since a number that a client has seen.
-- KEYS stream: the player's: its name, its last number, the last notice in it, whether no client has been told of it
-- KEYS tail: number, space, push
-- ARGV name: for the stream if it is new
-- ARGV most: pushes stored, at the most
-- ARGV lifetime_ms: for how long
-- ARGV known: the stream that the client knows, or ''
-- ARGV seen_seq: the last number that it has seen
-- ARGV seen_mark: the SHA-1 of that push with its number, or '' if it isn't known
-- ARGV is_whole: 1: return what there is also when something is missing, as to the first that opens a waiting stream
-- ARGV newest: the newest notice's number
-- ARGV notices...: the latest, a number and a push each, the oldest first
-- Returns the stream's name, its last number, whether nothing is missing since `seen_seq`, what came since, and whether
-- letters of a sender that sent many were skipped in it.
-- include: trimmed
-- include: own_stream
drop_foreign()

-- What isn't numbered stands in the place of pushes that are lost.
for _ = 1, most do
  local oldest = redis.call('LINDEX', tail, 0)
  if not oldest or number_of(oldest) > 0 then break end
  redis.call('LTRIM', tail, 1, -1)
end

-- A client that knows a stream has had the notices of its time: what is stored now came after Redis lost both, and joins.
if redis.call('HSETNX', stream, 'stream', name) == 1 then
  -- What may be left of a stream that Redis has evicted has numbers of that one.
  redis.call('UNLINK', tail)
  redis.call('HSET', stream, 'seq', 0, 'notice', known == '' and newest or 0)
end

-- A stream that began with a push to a player that wasn't connected: no client can know it, so those that come get what
-- waits in it, until one shows that it was told of the stream: the answer to a hello may be lost. Notices to all don't
-- wait for it there: one that says hello anew begins without them. Sockets that are caught up before their hello leave
-- what waits to that.
local is_told = redis.call('HGET', stream, 'stream') == known
if is_told then redis.call('HDEL', stream, 'unopened') end

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
  redis.call('HSET', stream, 'stream', name)
  -- An open socket's numbers go on: what is stored gets higher ones than it has had.
  if is_whole == '1' then
    local entries = redis.call('LRANGE', tail, 0, -1)
    redis.call('UNLINK', tail)
    redis.call('HDEL', stream, 'lost', 'skipped')
    redis.call('HSET', stream, 'seq', seen_seq)
    for _, entry in ipairs(entries) do
      redis.call('RPUSH', tail, redis.call('HINCRBY', stream, 'seq', 1) .. entry:gsub('^%d+', ''))
    end
  end
end

local is_first = redis.call('HEXISTS', stream, 'unopened') == 1
if is_first and (is_whole == '0' or known == '') then redis.call('HSET', stream, 'notice', newest) end

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
for _, key in ipairs({ stream, tail }) do
  -- What waits may have longer than that.
  if is_first then
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
if current ~= known or lost > seen then
  return { current, seq, 0, (is_whole == '1' or is_first) and redis.call('LRANGE', tail, 0, -1) or {}, 0 }
end
local missed = {}
if seen < seq then
  for _, entry in ipairs(redis.call('LRANGE', tail, 0, -1)) do
    if number_of(entry) > seen then missed[#missed + 1] = entry end
  end
end
return { current, seq, 1, missed, skipped > seen and 1 or 0 }
