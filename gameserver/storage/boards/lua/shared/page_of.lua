-- The entries from one place to another, both counted from 0.
-- include: ranking
-- include: id_of
-- Returns {generation, the ledger's time as of which it holds, in ms, total, place of the first, its rank, member,
-- score, record, member ...}.
local function page_of(first, last)
  local page = { live, as_of, total, first, first + 1 }
  if last < first then return page end

  -- Members and scores come in turn; the records of all of them are read at once.
  local entries, ids = redis.call('ZRANGE', order, first, last, 'WITHSCORES'), {}
  for at = 1, #entries, 2 do ids[#ids + 1] = id_of(entries[at]) end
  local records = redis.call('HMGET', members, unpack(ids))
  for at = 1, #entries, 2 do
    page[#page + 1], page[#page + 2], page[#page + 3] = entries[at], entries[at + 1], records[(at + 1) / 2]
  end

  page[5] = rank_of(first, entries[2])
  return page
end
