-- Deletes keys whose content a script can't read, with those that they take along.
-- KEYS lost...: the keys
-- CONST PATTERNS: of keys that take another one along
-- CONST OTHERS: for each pattern, what stands in its place in that other key
for _, key in ipairs(lost) do
  redis.call('UNLINK', key)
  for at, pattern in ipairs(PATTERNS) do redis.call('UNLINK', (key:gsub(pattern, OTHERS[at]))) end
end
return 1
