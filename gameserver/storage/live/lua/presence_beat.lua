-- Renews a node's lease, and changes the set of players connected to it.
-- KEYS nodes: name by the end of its lease, in ms
-- KEYS players: the node's
-- KEYS description: the node's
-- ARGV name: the node's
-- ARGV lease_ms: for how long it counts as live
-- ARGV described: its description, which ends with the beat's number
-- ARGV before: the number of its last beat that was answered; 0 when all who are connected come
-- ARGV total: how many players it has now
-- ARGV came: the players who connected, separated by commas
-- ARGV left: those who left
-- Returns 1, or 0 when the lease had ended, Redis has lost the beat `before`, or another number of players is known here:
-- then the node sends all of them. Later beats than that may be here, whose answers were lost: `came` and `left` make up
-- for what they changed.
-- include: milliseconds
local TOGETHER = 1000
local function call(command, list)
  local part = {}
  for id in list:gmatch('%d+') do
    part[#part + 1] = id
    if #part == TOGETHER then
      redis.call(command, players, unpack(part))
      part = {}
    end
  end
  if #part > 0 then redis.call(command, players, unpack(part)) end
end

-- Nodes that were killed, or have been frozen past their lease, are no longer listed. No lease ends so late as what lies
-- ten of them ahead.
local now = milliseconds()
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', now)
redis.call('ZREMRANGEBYSCORE', nodes, now + 10 * lease_ms, '+inf')
local is_whole = before == '0'
local number = tonumber((redis.call('GET', description) or ''):match('"beat":(%d+)}$') or -1)
local goes_on = is_whole or (redis.call('ZSCORE', nodes, name) and number >= tonumber(before))
if is_whole then redis.call('UNLINK', players) end
call('SADD', came)
call('SREM', left)
redis.call('ZADD', nodes, now + lease_ms, name)
redis.call('SET', description, described, 'PX', lease_ms)
redis.call('PEXPIRE', players, lease_ms)
return goes_on and redis.call('SCARD', players) == tonumber(total) and 1 or 0
