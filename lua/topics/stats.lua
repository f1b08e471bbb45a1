#!lua flags=no-writes
-- topics.stats: totals of a topic, and what was counted for some of its subscriptions.
--
-- KEYS[1] state          hash
-- KEYS[2] outbox         stream
-- KEYS[3] subscriptions  hash
-- KEYS[4] pending        zset
-- KEYS[5] stats          hash
-- KEYS[6] partial        hash
-- ARGV[1..]              ids
--
-- Reply   published, bytes, invalid, bare, outbox, oldest seq in it (0), partial, subscriptions,
--         pending, then per id delivered, failed, ms
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(ids)

local call = redis.call
local s = call('HMGET', KEYS[1], 'version', 'published', 'bytes', 'invalid', 'bare')
if not s[1] then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local head = call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local reply = { s[2], s[3], s[4], s[5], call('XLEN', KEYS[2]), head and string.sub(head[1], 1, -3) or '0',
  call('HLEN', KEYS[6]), call('HLEN', KEYS[3]), call('ZCARD', KEYS[4]) }
for i = 1, #ARGV do
  local one = call('HMGET', KEYS[5], ARGV[i] .. ':delivered', ARGV[i] .. ':failed', ARGV[i] .. ':ms')
  for n = 1, 3 do reply[#reply + 1] = one[n] or '0' end
end
return reply
