-- Writes the present state of some players to a generation of a board, and moves the checkpoint along in the same call.
-- KEYS[1] the order: zset of members by score   KEYS[2] hash of player id to reached_at (8), version (8) and card
-- KEYS[3] and KEYS[4] tombstones: hashes of player id to version, those of late and those before them
-- KEYS[5] zset of the distinct scores, for dense ranks alone   KEYS[6] the generation's checkpoints
-- KEYS[7] the ledgers' times up to which it was read, in ms, by database   KEYS[8] the contest's state
-- ARGV[1] field of the checkpoints that must hold [2], or the call changes nothing   [2] its expected value
-- ARGV[3] field to set   [4] its value ('' leaves the checkpoints alone)   [5] the generation   [6] the database
-- ARGV[7] the ledger's time in ms, or ''   [8] how long a tombstone is kept at least, in s
-- ARGV[9] what the rows are: 'follow', 'load', or 'repair', which also writes over what is of the same version
-- ARGV[10] the rows: id (8), reached_at in µs (8), both big-endian; version and score (doubles); 1 if he is on this
--          board, 0 if not (1 byte); the card's length (2 bytes) and the card
-- A member is reached_at and id, so that equal scores stand in the order in which they were reached.
-- Whatever is not newer than what is there is passed over: a player who isn't there any more leaves his version, so
-- that no older row brings him back. A load leaves none for those whom it never saw there. While a load goes on none
-- goes; otherwise each is kept for between one and two of [8].
-- Returns 1, or 0 when [2] isn't what is there.
local state = redis.call('HMGET', KEYS[8], 'live', 'next')
if state[1] ~= ARGV[5] and state[2] ~= ARGV[5] then return 0 end
if (redis.call('HGET', KEYS[6], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] ~= ARGV[1] then redis.call('HDEL', KEYS[6], ARGV[1]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[6], ARGV[3], ARGV[4]) end
if ARGV[7] ~= '' then redis.call('HSET', KEYS[7], ARGV[6], ARGV[7]) end

local function turn_tombstones()
  local now = tonumber(redis.call('TIME')[1])
  local age = now - tonumber(redis.call('HGET', KEYS[6], 'gone:turned') or 0)
  if age >= 0 and age < tonumber(ARGV[8]) then return end
  for _, field in ipairs(redis.call('HKEYS', KEYS[6])) do
    if field:sub(1, 8) == 'loading:' then return end
  end
  redis.call('HSET', KEYS[6], 'gone:turned', now)
  redis.call('UNLINK', KEYS[4])
  if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[4]) end
end

local function read(packed, at, some)
  local rows, ids = {}, {}
  while at <= #packed and #rows < some do
    local row = {}
    row.id, row.reached, row.version, row.score, row.there, row.card, at = struct.unpack('>c8c8ddBHc0', packed, at)
    rows[#rows + 1], ids[#ids + 1] = row, row.id
  end
  return rows, ids, at
end

local function add_tombstones(rows, ids)
  local unknown, at = {}, {}
  for each, row in ipairs(rows) do
    local matters = row.there == 1 or ARGV[9] ~= 'load'
    if not row.before and matters then unknown[#unknown + 1], at[#at + 1] = ids[each], row end
  end
  for key = 3, 4 do
    local some = #unknown > 0 and redis.call('EXISTS', KEYS[key]) == 1
    for each, version in ipairs(some and redis.call('HMGET', KEYS[key], unpack(unknown)) or {}) do
      local row = at[each]
      if version then
        row.fallen = math.max(row.fallen or -1, (struct.unpack('>d', version)))
      end
    end
  end
end

local function is_newer(row)
  local known = row.fallen or -1
  if row.before then known = struct.unpack('>d', row.before:sub(9, 16)) end
  return row.version > known or (ARGV[9] == 'repair' and row.version == known)
end

local function touch(scores, left)
  for _, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(left))) do
    if score then scores[string.format('%.17g', tonumber(score))] = true end
  end
end

local function write(rows, ids, dense)
  for each, before in ipairs(redis.call('HMGET', KEYS[2], unpack(ids))) do rows[each].before = before end
  add_tombstones(rows, ids)
  local left, added, noted, forgotten, fallen, risen, olds, scores = {}, {}, {}, {}, {}, {}, {}, {}
  for _, row in ipairs(rows) do
    if is_newer(row) then
      local old = row.before and row.before:sub(1, 8) .. row.id
      if old then olds[#olds + 1] = old end
      if old and (row.there == 0 or old ~= row.reached .. row.id) then left[#left + 1] = old end
      if row.there == 1 then
        local score = string.format('%.17g', row.score)
        scores[score] = true
        added[#added + 1], added[#added + 2] = score, row.reached .. row.id
        noted[#noted + 1], noted[#noted + 2] = row.id, row.reached .. struct.pack('>d', row.version) .. row.card
        if row.fallen then risen[#risen + 1] = row.id end
      else
        if old then forgotten[#forgotten + 1] = row.id end
        if old or row.fallen or ARGV[9] ~= 'load' then
          fallen[#fallen + 1], fallen[#fallen + 2] = row.id, struct.pack('>d', row.version)
        end
      end
    end
  end
  if dense and #olds > 0 then touch(scores, olds) end
  if #left > 0 then redis.call('ZREM', KEYS[1], unpack(left)) end
  if #forgotten > 0 then redis.call('HDEL', KEYS[2], unpack(forgotten)) end
  if #fallen > 0 then redis.call('HSET', KEYS[3], unpack(fallen)) end
  if #risen > 0 then
    redis.call('HDEL', KEYS[3], unpack(risen))
    redis.call('HDEL', KEYS[4], unpack(risen))
  end
  if #added > 0 then redis.call('ZADD', KEYS[1], unpack(added)) end
  if #noted > 0 then redis.call('HSET', KEYS[2], unpack(noted)) end
  if dense then
    for score in pairs(scores) do
      if redis.call('ZCOUNT', KEYS[1], score, score) > 0 then
        redis.call('ZADD', KEYS[5], score, score)
      else
        redis.call('ZREM', KEYS[5], score)
      end
    end
  end
end

turn_tombstones()
local at, rows, ids = 1, nil, nil
while at <= #ARGV[10] do
  rows, ids, at = read(ARGV[10], at, 500)
  write(rows, ids, ARGV[5]:sub(2, 2) == 'd')
end
return 1
