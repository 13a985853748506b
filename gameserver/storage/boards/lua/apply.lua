-- Writes the present state of some players to a generation of a board, and moves the checkpoint along in the same call.
-- KEYS order: zset of members by score
-- KEYS members: hash of player id to record: when the score was reached, version, card
-- KEYS gone: tombstones: hash of player id to version
-- KEYS gone_before: those that are older
-- KEYS scores: zset of the distinct scores, for dense ranks alone
-- KEYS checkpoints: the generation's
-- KEYS as_of: hash of database to the time in ms up to which its ledger was read
-- KEYS state: the contest's
-- ARGV field: of the checkpoints, which must hold `expected`, or the call changes nothing
-- ARGV expected: its value, '' for none
-- ARGV to_field: the field that takes the place of `field`; it may be the same
-- ARGV to: its value; '' leaves the checkpoints alone
-- ARGV part: of several calls that move the checkpoint together: what the checkpoints say after this one; '' for the last
-- ARGV part_before: what they must have been left to say by the one before, or the call changes nothing; '' for the first
-- ARGV generation: its name
-- ARGV database: whose ledger was read
-- ARGV ledger_ms: the time up to which it was, or ''
-- ARGV tombstone_seconds: for how long a tombstone stays at least
-- ARGV kind: 'follow', 'load', or 'repair', which also writes over an entry of the same version
-- ARGV rows: one after the other: id and time in µs at which the score was reached (8 bytes each, big-endian), version
--   and score (doubles), whether the player is on this board (1 byte), the card's length (2 bytes), and the card
-- A member is that time and the id, so that equal scores stand in the order in which they were reached.
-- A row that isn't newer than what is there is skipped. A player who leaves the board leaves a tombstone with its
-- version, so that no older row brings it back; a load leaves none for a player that it never saw here. No tombstone
-- goes while a load is under way; otherwise each stays for between one and two of `tombstone_seconds`.
-- Returns 1, or 0 when the generation or the checkpoint isn't the expected one, or a part of the generation is missing.
-- CONST ROW: how a row is packed
-- CONST RECORD: how a record is packed, before its card
-- CONST LOADING: how the checkpoints' field begins that names the load of a database, and says how far it has come
-- CONST PART: how the checkpoints' field begins that names the last of several calls of a database's follower
-- include: member_of
-- include: is_intact
-- include: sane
local VERSION, SCORE, TOGETHER = '>d', '%.17g', 500

-- Refuse a generation that is neither live nor next, and a checkpoint that somebody else has moved.
local generations = redis.call('HMGET', state, 'live', 'next')
if generations[1] ~= generation and generations[2] ~= generation then return 0 end
local place = redis.call('HGET', checkpoints, field) or ''
if kind ~= 'load' and place ~= expected then return 0 end

-- Refuse what comes after something that Redis has lost again. A load's place is its name and a position of one length,
-- and what is behind the position has been written, also when the answer to that was lost.
local parts = PART .. database
if part_before ~= '' and redis.call('HGET', checkpoints, parts) ~= part_before then return 0 end
if kind == 'load' then
  if place:match('^[^:]*') ~= expected:match('^[^:]*') or place < expected then return 0 end
  if to_field == field and to < place then to = place end
end

-- Refuse a generation of which Redis has evicted a part: more rows would hide that.
if not is_intact(generation, order, members, scores, checkpoints) then return 0 end

-- Move the checkpoint, and the time as of which the board holds.
if to_field ~= field then redis.call('HDEL', checkpoints, field) end
if to ~= '' then redis.call('HSET', checkpoints, to_field, to) end
if part ~= '' then
  redis.call('HSET', checkpoints, parts, part)
elseif part_before ~= '' then
  redis.call('HDEL', checkpoints, parts)
end
if ledger_ms ~= '' then redis.call('HSET', as_of, database, ledger_ms) end

-- The older tombstones go and the newer ones become the older ones, when it is time and nothing is being loaded.
local function turn_tombstones()
  local now = tonumber(redis.call('TIME')[1])
  local age = now - tonumber(redis.call('HGET', checkpoints, 'gone:turned') or 0)
  if age >= 0 and age < tonumber(tombstone_seconds) then return end
  for _, name in ipairs(redis.call('HKEYS', checkpoints)) do
    if name:sub(1, #LOADING) == LOADING then return end
  end
  redis.call('HSET', checkpoints, 'gone:turned', now)
  redis.call('UNLINK', gone_before)
  if redis.call('EXISTS', gone) == 1 then redis.call('RENAME', gone, gone_before) end
end

-- At most TOGETHER rows from a position on, their ids, and the position after them.
local function read(at)
  local batch, ids = {}, {}
  while at <= #rows and #batch < TOGETHER do
    local row = {}
    row.id, row.reached, row.version, row.score, row.there, row.card, at = struct.unpack(ROW, rows, at)
    batch[#batch + 1], ids[#ids + 1] = row, row.id
  end
  return batch, ids, at
end

-- Gives rows without a record the version of their tombstone, if there is one.
local function add_tombstones(batch)
  local unknown, ids = {}, {}
  for _, row in ipairs(batch) do
    local matters = row.there == 1 or kind ~= 'load'
    if not row.record and matters then unknown[#unknown + 1], ids[#ids + 1] = row, row.id end
  end
  if #ids == 0 then return end
  for _, tombstones in ipairs({ gone, gone_before }) do
    local versions = redis.call('EXISTS', tombstones) == 1 and redis.call('HMGET', tombstones, unpack(ids)) or {}
    for number, version in ipairs(versions) do
      local row = unknown[number]
      if version then row.tombstone = math.max(row.tombstone or -1, sane((struct.unpack(VERSION, version)))) end
    end
  end
end

local function is_newer(row)
  local known = row.tombstone or -1
  if row.record then
    local _, version = struct.unpack(RECORD, row.record)
    known = sane(version)
  end
  return row.version > known or (kind == 'repair' and row.version == known)
end

-- Sorts the newer rows of a batch into arguments of the commands that will write them.
local function changes_of(batch)
  local left, added, records, forgotten, buried, risen, before, touched = {}, {}, {}, {}, {}, {}, {}, {}
  for _, row in ipairs(batch) do
    if is_newer(row) then
      local old, new = row.record and member_of(row.record, row.id), row.reached .. row.id
      if old then before[#before + 1] = old end
      if old and (row.there == 0 or old ~= new) then left[#left + 1] = old end
      if row.there == 1 then
        -- On the board, also if a tombstone is here.
        local score = SCORE:format(row.score)
        touched[score] = true
        added[#added + 1], added[#added + 2] = score, new
        local record = struct.pack(RECORD, row.reached, row.version) .. row.card
        records[#records + 1], records[#records + 2] = row.id, record
        if row.tombstone then risen[#risen + 1] = row.id end
      else
        -- Off the board; a load buries only those of whom something is here.
        if old then forgotten[#forgotten + 1] = row.id end
        if old or row.tombstone or kind ~= 'load' then
          buried[#buried + 1], buried[#buried + 2] = row.id, struct.pack(VERSION, row.version)
        end
      end
    end
  end
  return {
    left = left, added = added, records = records, forgotten = forgotten, buried = buried, risen = risen,
    before = before, touched = touched,
  }
end

-- The scores that members had before are touched by their change, too.
local function touch_scores(touched, before)
  if #before == 0 then return end
  for _, score in ipairs(redis.call('ZMSCORE', order, unpack(before))) do
    if score then touched[SCORE:format(tonumber(score))] = true end
  end
end

-- The distinct scores: a touched score stays as long as somebody has it.
local function keep_scores(touched)
  for score in pairs(touched) do
    if redis.call('ZCOUNT', order, score, score) > 0 then
      redis.call('ZADD', scores, score, score)
    else
      redis.call('ZREM', scores, score)
    end
  end
end

local function write(batch, ids, is_dense)
  -- What is there of these players: records, and tombstones of those without one.
  for number, record in ipairs(redis.call('HMGET', members, unpack(ids))) do batch[number].record = record end
  add_tombstones(batch)
  local changes = changes_of(batch)
  if is_dense then touch_scores(changes.touched, changes.before) end

  -- Members that move or leave, then records and tombstones, then the members' new places.
  if #changes.left > 0 then redis.call('ZREM', order, unpack(changes.left)) end
  if #changes.forgotten > 0 then redis.call('HDEL', members, unpack(changes.forgotten)) end
  if #changes.buried > 0 then redis.call('HSET', gone, unpack(changes.buried)) end
  if #changes.risen > 0 then
    redis.call('HDEL', gone, unpack(changes.risen))
    redis.call('HDEL', gone_before, unpack(changes.risen))
  end
  if #changes.added > 0 then redis.call('ZADD', order, unpack(changes.added)) end
  if #changes.records > 0 then redis.call('HSET', members, unpack(changes.records)) end
  if is_dense then keep_scores(changes.touched) end
end

turn_tombstones()
local is_dense, at = generation:sub(TIES_AT, TIES_AT) == DENSE, 1
while at <= #rows do
  local batch, ids, after = read(at)
  write(batch, ids, is_dense)
  at = after
end
redis.call('HSET', checkpoints, FILLED, redis.call('EXISTS', order))
return 1
