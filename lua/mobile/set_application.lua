#!lua
-- mobile.set_application: change attributes of a platform application.
--
-- KEYS[1] config  hash  attribute -> text; '' for none
-- ARGV[1..]       pairs to set
-- ARGV[#] now_ms  '' in production; the clock of a test
--
-- Reply   the config, as field, value, ..
-- Errors  RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST
-- Cost    O(attributes)
--@include lib/base

local config = KEYS[1]
if call('EXISTS', config) == 0 then
  return redis.error_reply('RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST')
end
local now = int(math.floor(now_us(ARGV[#ARGV]) / 1000))
call('HSET', config, 'modified_ms', now, unpack(ARGV, 1, #ARGV - 1))
return call('HGETALL', config)
