-- A player's member of the order, by its record, which begins with the time at which the score was reached.
-- CONST ID_AT: where the id begins in a member; before it stands the time at which the score was reached
local function member_of(record, id) return record:sub(1, ID_AT - 1) .. id end
