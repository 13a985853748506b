-- Deletes a player's stream if its hash doesn't say what the product writes there, with what is stored of it: the
-- player then begins another stream. Needs `stream` and `tail`.
local HIGHEST = 9007199254740992 -- beyond it numbers aren't exact
local function is_number(text)
  return text and text ~= '' and #text <= 16 and not text:find('%D') and tonumber(text) < HIGHEST
end

local function drop_foreign()
  if redis.call('EXISTS', stream) == 0 then return end
  local fields = redis.call('HMGET', stream, 'stream', 'seq', 'notice', 'lost', 'skipped', 'waits', 'sent_at')
  local name, seq, notice = unpack(fields, 1, 3)
  local is_named = name and name ~= '' and #name <= 64 and not name:find('%W')
  local is_numbered = is_number(seq) and is_number(notice)
  for at = 4, 7 do
    is_numbered = is_numbered and is_number(fields[at] or '0')
  end
  if not (is_named and is_numbered) then redis.call('UNLINK', stream, tail) end
end
