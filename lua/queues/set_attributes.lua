#!lua
-- queues.set_attributes: change the config, all of it or nothing, and its version with it.
--
-- KEYS[1] state    hash
-- KEYS[2] config   hash
-- KEYS[3] wake     list   a waiting consumer looks again under the new config
-- ARGV[1] version  the one the change was decided on
-- ARGV[2] next     the version after the change
-- ARGV[3..]        attribute, text, ..; an empty text removes the attribute
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(attributes)
--@include lib/base

local state, config, wake = KEYS[1], KEYS[2], KEYS[3]
local s = call('HMGET', state, 'version', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[#ARGV])
for i = 3, #ARGV - 2, 2 do
  if ARGV[i + 1] == '' then call('HDEL', config, ARGV[i])
  else call('HSET', config, ARGV[i], ARGV[i + 1]) end
end
call('HSET', config, 'modified_ms', int(math.floor(now / 1000)))
-- The retention may be shorter now, a dead-letter queue may be back: look at once.
call('HSET', state, 'version', ARGV[2], 'sweep', '0', 'keep_until', '0')
wake_one(wake, s[2], now)
return 1
