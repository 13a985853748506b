-- Writes the present state of some players to a generation of a board, and moves the checkpoint along in the same call.
-- KEYS[1] the order: zset of members by score    KEYS[2] hash of player id to reached_at and version
-- KEYS[3] the generation's checkpoints           KEYS[4] the board's state
-- ARGV[1] field of the checkpoints that must hold [2], or the call changes nothing   [2] its expected value
-- ARGV[3] field to set   [4] its value ('' leaves the checkpoints alone)   [5] the generation
-- ARGV[6] the players, 33 bytes each: id (8), reached_at in µs (8), both big-endian; version and score (doubles);
--         1 if he is on this board, 0 if not
-- A member is reached_at and id, so that equal scores stand in the order in which they were reached.
-- Whatever is not newer than what is there is passed over. Returns 1, or 0 when [2] isn't what is there.
local state = redis.call('HMGET', KEYS[4], 'live', 'next')
if state[1] ~= ARGV[5] and state[2] ~= ARGV[5] then return 0 end
if (redis.call('HGET', KEYS[3], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] ~= ARGV[1] then redis.call('HDEL', KEYS[3], ARGV[1]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[3], ARGV[4]) end

local packed, WIDTH, SOME = ARGV[6], 33, 500
local function write(first, last)
  local ids = {}
  for at = first, last, WIDTH do ids[#ids + 1] = packed:sub(at, at + 7) end
  local known = redis.call('HMGET', KEYS[2], unpack(ids))
  local left, added, noted, forgotten = {}, {}, {}, {}
  for each, id in ipairs(ids) do
    local at = first + (each - 1) * WIDTH
    local reached = packed:sub(at + 8, at + 15)
    local version, score = struct.unpack('>dd', packed:sub(at + 16, at + 31))
    local before = known[each]
    if not before or struct.unpack('>d', before:sub(9, 16)) < version then
      local there = packed:byte(at + 32) == 1
      if before and (not there or before:sub(1, 8) ~= reached) then left[#left + 1] = before:sub(1, 8) .. id end
      if there then
        added[#added + 1] = string.format('%.17g', score)
        added[#added + 1] = reached .. id
        noted[#noted + 1] = id
        noted[#noted + 1] = reached .. packed:sub(at + 16, at + 23)
      elseif before then
        forgotten[#forgotten + 1] = id
      end
    end
  end
  if #left > 0 then redis.call('ZREM', KEYS[1], unpack(left)) end
  if #forgotten > 0 then redis.call('HDEL', KEYS[2], unpack(forgotten)) end
  if #added > 0 then redis.call('ZADD', KEYS[1], unpack(added)) end
  if #noted > 0 then redis.call('HSET', KEYS[2], unpack(noted)) end
end
for first = 1, #packed, WIDTH * SOME do
  write(first, math.min(first + WIDTH * SOME, #packed + 1) - WIDTH)
end
return 1
