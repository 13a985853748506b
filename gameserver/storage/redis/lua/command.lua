-- A command that was sent by itself.
-- KEYS key: its key
-- ARGV words...: its name, and what comes after the key
return redis.call(words[1], key, unpack(words, 2))
