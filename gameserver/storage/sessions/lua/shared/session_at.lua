-- What a session's hash says, or nothing when there is none. One that lacks something, or holds something that isn't
-- written there, is no session: it is deleted, unless Redis can't write its files.
local LATEST = 253402300799999 -- in ms: the last moment that has a date of four digits

local function is_number(text)
  return text and text ~= '' and #text <= 16 and not text:find('%D') and tonumber(text) <= LATEST
end

local function session_at(key)
  local fields = redis.call('HMGET', key, 'epoch', 'opened', 'used', 'ends', 'by_password', 'label', 'address')
  local epoch, opened, used, ends, by_password = unpack(fields, 1, 5)
  local is_flag = not by_password or by_password == '0' or by_password == '1'
  if is_number(epoch) and is_number(opened) and is_number(used) and is_number(ends) and is_flag then
    return {
      epoch = tonumber(epoch), opened = tonumber(opened), used = tonumber(used), ends = tonumber(ends),
      by_password = tonumber(by_password or 0), label = fields[6] or '', address = fields[7] or '',
    }
  end
  redis.pcall('UNLINK', key)
  return nil
end
