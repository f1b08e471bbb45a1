#!lua
-- topics.set_attributes: change the config, all of it or nothing, and its version with it.
--
-- KEYS[1] state    hash
-- KEYS[2] config   hash
-- ARGV[1] version  the one the change was decided on
-- ARGV[2] next     the version after the change
-- ARGV[3..]        attribute, text, ..; an empty text removes the attribute
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(attributes)
--@include lib/base
--@include lib/topic

local state, config = KEYS[1], KEYS[2]
local refusal = refuse_topic(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[#ARGV])
for i = 3, #ARGV - 2, 2 do
  if ARGV[i + 1] == '' then call('HDEL', config, ARGV[i])
  else call('HSET', config, ARGV[i], ARGV[i + 1]) end
end
call('HSET', config, 'modified_ms', int(math.floor(now / 1000)))
-- An archive may be given up: look at once.
call('HSET', state, 'version', ARGV[2], 'sweep', '0')
return 1
