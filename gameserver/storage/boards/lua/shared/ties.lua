-- How equal scores rank, and how many places are shown. Needs `places`.
-- include: live
-- CONST COMPETITION: there: as many ranks are left out as scores are equal
local ties, shown = live:sub(TIES_AT, TIES_AT), tonumber(places)
