#!lua
-- mobile.create_application: make a platform application, or hand back the one that stands there.
--
-- KEYS[1] config  hash  attribute -> text
-- ARGV[1..]       pairs of the config
-- ARGV[#] now_ms  '' in production; the clock of a test
--
-- Reply   the config, as field, value, ..
-- Errors  none
-- Cost    O(attributes)
--@include lib/base

local config = KEYS[1]
if call('EXISTS', config) == 0 then
  local now = int(math.floor(now_us(ARGV[#ARGV]) / 1000))
  call('HSET', config, 'created_ms', now, 'modified_ms', now, unpack(ARGV, 1, #ARGV - 1))
end
return call('HGETALL', config)
