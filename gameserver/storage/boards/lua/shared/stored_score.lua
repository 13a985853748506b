-- A score as the live generation stores it, which may be of another order than the board has by now. Needs `live`.
-- CONST NEGATED: how the names of generations begin whose scores are negated, since the highest comes first
local function stored_score(shown_score)
  return string.format('%.17g', tonumber(shown_score) * (live:sub(1, #NEGATED) == NEGATED and -1 or 1))
end
