#!lua flags=no-writes
-- topics.stats: totals of a topic, and what was counted for some of its subscriptions.
--
-- KEYS[1] state          hash
-- KEYS[2] outbox         stream
-- KEYS[3] subscriptions  hash
-- KEYS[4] pending        zset
-- KEYS[5] stats          hash
-- KEYS[6] partial        hash
-- KEYS[7] cursors        hash    FIFO: id -> seq up to which it was given everything
-- ARGV[1..]              ids
--
-- Reply   published, bytes, invalid, bare, messages left in the outbox of a standard topic, entries
--         of the outbox, oldest seq in it (0), partial, subscriptions, pending, then per id
--         delivered, failed, ms, replayed, 1 when it was not given everything yet (FIFO)
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(ids)

local call = redis.call
local s = call('HMGET', KEYS[1], 'version', 'published', 'bytes', 'invalid', 'bare', 'left', 'seq')
if not s[1] then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local head = call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local reply = { s[2], s[3], s[4], s[5], s[6], call('XLEN', KEYS[2]),
  head and string.sub(head[1], 1, -3) or '0', call('HLEN', KEYS[6]), call('HLEN', KEYS[3]),
  call('ZCARD', KEYS[4]) }
for i = 1, #ARGV do
  local one = call('HMGET', KEYS[5], ARGV[i] .. ':delivered', ARGV[i] .. ':failed', ARGV[i] .. ':ms',
    ARGV[i] .. ':replayed')
  for n = 1, 4 do reply[#reply + 1] = one[n] or '0' end
  local cursor = call('HGET', KEYS[7], ARGV[i])
  reply[#reply + 1] = cursor and tonumber(cursor) < tonumber(s[7]) and '1' or '0'
end
return reply
