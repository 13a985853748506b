-- The generations that followers of this definition have to write, with a database's checkpoint in each; begins the
-- first if there is none, and the next if the live one was built by another definition than the one wanted, or if nobody
-- has followed it for long. A generation of which Redis has lost a part is given up.
-- KEYS state: the contest's: live and next generation, the definition that is wanted and the edition of the rules that
--   has it, when (s) it was asked for last
-- ARGV prefix: of the contest's keys
-- ARGV database: whose checkpoints are returned
-- ARGV definition: the caller's
-- ARGV edition: of the rules that the caller has it of
-- ARGV name: for a new generation
-- ARGV starting: 1 when the node has just begun to follow: the node that starts last has the newest configuration
-- ARGV wanted_seconds: for how long a definition counts as wanted that no node asks for
-- ARGV idle_seconds: after which one that nobody asked for is built anew, while it is served as it was: to load it is
--   quicker than to read all that has happened since
-- ARGV databases...: all of them: what is here of others doesn't count any more
-- CONST LOADING: how the checkpoints' field begins that names the load of a database
-- CONST LOADS: the field that counts the loads
-- Returns {generation, checkpoint or '', whether it is the next, and, if it is and every database has a checkpoint in
-- it, how many loads have begun in it, else 0} for each.
-- CONST WHOLE: the field that says that a generation has become live whole
-- include: forget
-- include: is_intact

-- Whose definition counts: that of the highest edition, and among those of one the one asked for of late, unless a newer
-- node comes. All are of one length.
local now = tonumber(redis.call('TIME')[1])
local fields = redis.call('HMGET', state, 'live', 'next', 'wanted', 'asked', 'edition')
local live, building, wanted = fields[1], fields[2], fields[3]
local age = math.abs(now - (tonumber(fields[4]) or 0))
local newest, own = tonumber(fields[5]) or 0, tonumber(edition)
local is_asked = wanted and #wanted == #definition and age <= tonumber(wanted_seconds) -- also false when it is no number
if not is_asked or own > newest or (own == newest and starting == '1') then
  wanted, newest = definition, own
end

local function key_of(generation, part) return KEY:format(prefix, generation, part) end

local function is_whole(generation)
  local checkpoints = key_of(generation, 'checkpoints')
  local scores = key_of(generation, 'scores')
  return is_intact(generation, key_of(generation, 'order'), key_of(generation, 'members'), scores, checkpoints)
end

-- A live generation from before there was the field WHOLE has a checkpoint of every database.
local function is_marked(generation)
  local checkpoints = key_of(generation, 'checkpoints')
  if redis.call('HEXISTS', checkpoints, WHOLE) == 1 then return true end
  for _, known in ipairs(databases) do
    if redis.call('HEXISTS', checkpoints, known) == 0 then return false end
  end
  redis.call('HSET', checkpoints, WHOLE, 1, FILLED, redis.call('EXISTS', key_of(generation, 'order')))
  return true
end

-- Give up what has lost a part.
if live and not (is_marked(live) and is_whole(live)) then
  forget(live)
  redis.call('HDEL', state, 'live')
  live = nil
end
if building and not is_whole(building) then
  forget(building)
  redis.call('HDEL', state, 'next')
  building = nil
end

local function is_built_by(generation, by)
  return generation and generation:sub(1, #by) == by
end

-- The wanted definition gives up a next generation of another one, and begins its own if the live one isn't,
-- or is from long ago.
if wanted == definition then
  redis.call('HSET', state, 'wanted', wanted, 'asked', now, 'edition', newest)
  if building and not is_built_by(building, wanted) then
    forget(building)
    redis.call('HDEL', state, 'next')
    building = nil
  end
  if not building and (not is_built_by(live, wanted) or age > tonumber(idle_seconds)) then
    building = name
    redis.call('HSET', state, 'next', building)
  end
end

local LEFT_MS, is_known = 5000, {}
for _, known in ipairs(databases) do is_known[known] = true end

local function tend_databases(generation)
  local as_of, checkpoints, has_time = key_of(generation, 'as_of'), key_of(generation, 'checkpoints'), {}
  local times = redis.call('HGETALL', as_of)
  for at = 1, #times, 2 do
    local field, time = times[at], tonumber(times[at + 1]) or 0
    has_time[field] = true
    -- Others may know of more databases than this node. What somebody follows gets a time each second.
    if not is_known[field] and now * 1000 - time > LEFT_MS then redis.call('HDEL', as_of, field) end
  end
  -- A database that was never followed here counts from now on: it is new, and nothing of it can be missing yet. The time
  -- of one that was has been evicted, and how far it was followed isn't known.
  for _, known in ipairs(generation == live and databases or {}) do
    if not has_time[known] then
      local was_followed = redis.call('HEXISTS', checkpoints, known) == 1
      redis.call('HSET', as_of, known, was_followed and 0 or now * 1000)
    end
  end
  for _, field in ipairs(redis.call('HKEYS', checkpoints)) do
    local is_load = field:sub(1, #LOADING) == LOADING
    if is_load and not is_known[field:sub(#LOADING + 1)] then redis.call('HDEL', checkpoints, field) end
  end
end

-- How many loads have begun in the next generation, 0 unless every database has been loaded.
local function loads_of(checkpoints)
  for _, known in ipairs(databases) do
    if redis.call('HEXISTS', checkpoints, known) == 0 then return 0 end
  end
  return tonumber(redis.call('HGET', checkpoints, LOADS) or 0)
end

local generations = {}
for _, generation in ipairs({ live or '', building or '' }) do
  if is_built_by(generation, definition) then
    tend_databases(generation)
    local checkpoints, is_next = key_of(generation, 'checkpoints'), generation == building
    local checkpoint = redis.call('HGET', checkpoints, database) or ''
    local loads = is_next and loads_of(checkpoints) or 0
    generations[#generations + 1] = { generation, checkpoint, is_next and 1 or 0, loads }
  end
end
return generations
