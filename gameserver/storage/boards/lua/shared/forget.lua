-- Deletes all keys of a generation. Needs `prefix`.
-- CONST KEY: how a key is made of the contest's prefix, the generation's name and the part, which comes last
-- CONST PARTS: the parts of a generation
local function forget(generation)
  for _, part in ipairs(PARTS) do redis.call('UNLINK', KEY:format(prefix, generation, part)) end
end
