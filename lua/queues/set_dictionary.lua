#!lua
-- queues.set_dictionary: give a queue the next dictionary that its messages are compressed by.
--
-- The queue itself is not changed by it, as far as its owner can see: modified_ms stays.
--
-- KEYS[1] state    hash
-- KEYS[2] config   hash   dictionary:1 .. -> the last seq that was sent before it, base64
-- KEYS[3] log      stream
-- ARGV[1] version  the one that it was decided on
-- ARGV[2] next     the version after the change
-- ARGV[3] number   1..15
-- ARGV[4] dictionary  base64
--
-- Reply   1; 0 where messages need all KEPT earlier ones, so that it stays with the last one
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(number)
--@include lib/base

local state, config, log = KEYS[1], KEYS[2], KEYS[3]
local KEPT = 3
local s = call('HMGET', state, 'version', 'seq')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

-- What was sent behind a dictionary's seq is compressed by it, or by a later one. So the one before
-- it is of no use once nothing older is there.
local number = tonumber(ARGV[3])
local head = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local oldest = head and tonumber(string.sub(head[1], 1, -3))
local kept, gone, since = 0, {}, tonumber(s[2])
for n = number - 1, 1, -1 do
  local field = 'dictionary:' .. n
  local known = call('HGET', config, field)
  if known then
    if not oldest or oldest > since then gone[#gone + 1] = field else kept = kept + 1 end
    since = tonumber(string.match(known, '^%d+'))
  end
end
call('HSET', state, 'version', ARGV[2])
call('HDEL', config, 'relearn', unpack(gone))
if kept > KEPT then return 0 end
call('HSET', config, 'dictionary:' .. ARGV[3], s[2] .. ' ' .. ARGV[4])
return 1
