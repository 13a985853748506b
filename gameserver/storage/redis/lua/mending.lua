-- Stands before a script that Redis has refused for the type of a key: what calls commands deletes such a key, with the
-- one that it takes along, and ends the script with an error that names it.
-- CONST PATTERNS: of keys that take another one along
-- CONST OTHERS: for each pattern, what stands in its place in that other key
local server, redis = redis, {} -- luacheck: ignore redis
redis.call = function(...)
  local answer, _, key = server.pcall(...), ...
  local problem = type(answer) == 'table' and answer.err
  if not problem then return answer end
  if problem:sub(1, 9) ~= 'WRONGTYPE' then error(answer) end
  for at, pattern in ipairs(PATTERNS) do server.call('UNLINK', key, (key:gsub(pattern, OTHERS[at]))) end
  error({ err = 'LOST ' .. key })
end
