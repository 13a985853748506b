-- Whether a member of a player's index can be a session's name: in hexadecimal, so neither long nor of other characters.
local function is_name(name) return #name <= 64 and not name:find('%W') end
