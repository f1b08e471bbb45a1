#!lua flags=no-writes
-- topics.changes: which subscriptions changed since a client last looked, as they are now.
--
-- KEYS[1] state          hash
-- KEYS[2] subscriptions  hash    id -> subscription
-- KEYS[3] changes        stream  number -> id; the last thousand
-- ARGV[1] number         of the last change that the client knows; '' for one that knows nothing
--
-- Reply   version, number of the last change, 1 when the client has to read them all (then without
--         the rest), then id and what is stored ('' when it is gone), ..
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(changes), 1,000 at most

local call = redis.call
local s = call('HMGET', KEYS[1], 'version', 'number')
if not s[1] then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local reply = { s[1], s[2], '0' }
if ARGV[1] == s[2] then return reply end
local known = tonumber(ARGV[1])
if not known then
  reply[3] = '1'
  return reply
end
local entries = call('XRANGE', KEYS[3], '(' .. ARGV[1], '+', 'COUNT', 1000)
-- Known is more than there is where the topic was made anew.
if #entries == 0 or #entries < tonumber(s[2]) - known then
  reply[3] = '1'
  return reply
end
local ids, seen = {}, {}
for i = 1, #entries do
  local id = entries[i][2][2]
  if not seen[id] then
    seen[id] = true
    ids[#ids + 1] = id
  end
end
local found = call('HMGET', KEYS[2], unpack(ids))
for i = 1, #ids do
  reply[#reply + 1] = ids[i]
  reply[#reply + 1] = found[i] or ''
end
return reply
