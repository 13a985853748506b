-- The version that a record or a tombstone says, -1 for what can't be one, so that any row is newer.
local function sane(version) return version >= 0 and version < 9007199254740992 and version or -1 end
