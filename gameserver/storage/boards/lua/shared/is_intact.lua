-- Whether no part of a generation is missing: Redis may evict any key, and then evicts it whole. Nothing is written to
-- a generation of which a part is missing, so what is there is whole. The checkpoints must be there, too.
-- CONST FILLED: the checkpoints' field that says whether the last write left players on the board: '1' or '0'
-- CONST TIES_AT: where a generation's name says how equal scores rank
-- CONST DENSE: there: the next score has the next rank
local function is_intact(generation, order_key, members_key, scores_key, checkpoints_key)
  local has_order, has_members = redis.call('EXISTS', order_key), redis.call('EXISTS', members_key)
  if has_order ~= has_members then return false end
  if (redis.call('HGET', checkpoints_key, FILLED) == '1') ~= (has_order == 1) then return false end
  if has_order == 0 then return true end
  return generation:sub(TIES_AT, TIES_AT) ~= DENSE or redis.call('EXISTS', scores_key) == 1
end
