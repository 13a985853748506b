-- A name for a stream that begins now: the second, as 8 digits, then what makes it unlike others. Needs `name`.
local function new_name() return string.format('%08x', redis.call('TIME')[1]) .. name end
