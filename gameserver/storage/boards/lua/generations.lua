-- The generations that followers of this definition have to write, with a database's checkpoint in each; begins the
-- first if there is none, and the next if the live one was built by another definition than is wanted.
-- KEYS[1] the contest's state: live and next generation, the definition that is wanted, since when (s), and until when
-- ARGV[1] the contest's prefix   [2] the database   [3] the definition   [4] a name for a new generation
-- ARGV[5] 1 when the node has just begun to follow: who starts last has the newest configuration
-- ARGV[6] for how long, in s, a definition counts as wanted that nobody has asked for
-- ARGV[7...] all databases: what is there of others doesn't count any more
-- Returns {generation, checkpoint or '', whether it is the next, and, if it is and every database has a checkpoint in
-- it, how many loads have begun in it, else 0} of each.
local now = tonumber(redis.call('TIME')[1])
local state = redis.call('HMGET', KEYS[1], 'live', 'next', 'wanted', 'asked')
local live, next, wanted = state[1], state[2], state[3]
if not wanted or ARGV[5] == '1' or math.abs(now - tonumber(state[4])) > tonumber(ARGV[6]) then wanted = ARGV[3] end

local function of(generation, definition)
  return generation and generation:sub(1, #definition) == definition
end

if wanted == ARGV[3] then
  redis.call('HSET', KEYS[1], 'wanted', wanted, 'asked', now)
  if next and not of(next, wanted) then
    for _, part in ipairs({ 'order', 'members', 'gone', 'gone_before', 'scores', 'checkpoints', 'as_of' }) do
      redis.call('UNLINK', ARGV[1] .. next .. ':' .. part)
    end
    redis.call('HDEL', KEYS[1], 'next')
    next = nil
  end
  if not next and not of(live, wanted) then
    next = ARGV[4]
    redis.call('HSET', KEYS[1], 'next', next)
  end
end

local known = {}
for each = 7, #ARGV do known[ARGV[each]] = true end

local function forget_strangers(generation)
  for _, field in ipairs(redis.call('HKEYS', ARGV[1] .. generation .. ':as_of')) do
    if not known[field] then redis.call('HDEL', ARGV[1] .. generation .. ':as_of', field) end
  end
  for _, field in ipairs(redis.call('HKEYS', ARGV[1] .. generation .. ':checkpoints')) do
    local loading = field:match('^loading:(.*)$')
    if loading and not known[loading] then redis.call('HDEL', ARGV[1] .. generation .. ':checkpoints', field) end
  end
end

local listed = {}
for _, generation in ipairs({ live or '', next or '' }) do
  if of(generation, ARGV[3]) then
    forget_strangers(generation)
    local checkpoints = ARGV[1] .. generation .. ':checkpoints'
    local whole = 0
    if generation == next then whole = tonumber(redis.call('HGET', checkpoints, 'load:count') or 0) end
    for each = 7, #ARGV do
      if redis.call('HEXISTS', checkpoints, ARGV[each]) == 0 then whole = 0 end
    end
    local checkpoint = redis.call('HGET', checkpoints, ARGV[2]) or ''
    listed[#listed + 1] = { generation, checkpoint, generation == next and 1 or 0, whole }
  end
end
return listed
