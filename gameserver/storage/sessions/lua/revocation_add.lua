-- Announces that sessions have ended.
-- FLAGS allow-oom: who signs out while Redis is full is signed out: the stream has a bounded length, and sessions go.
-- KEYS stream: of revocations
-- ARGV length: of the stream, about, at the most
-- ARGV text: the player's id and the names of the sessions, or '' for an entry that a reader can begin with
redis.call('XADD', stream, 'MAXLEN', '~', length, '*', 'ended', text)
return 1
