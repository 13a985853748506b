-- The player's id at the end of a member of the order.
-- CONST ID_AT: where the id begins in a member; before it stands the time at which the score was reached
local function id_of(member) return member:sub(ID_AT) end
