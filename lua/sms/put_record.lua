#!lua
-- sms.put_record: make a record, or change one that is still as the caller knows it.
--
-- KEYS[1] records  hash  name -> record
-- KEYS[2] names    zset  name, score 0
-- ARGV[1] name
-- ARGV[2] before   what the caller knows; '' for none
-- ARGV[3] after
-- ARGV[4] limit    how many there may be; '' for any
--
-- Reply   1 when done; 0 when it was changed by somebody else
-- Errors  RMQ_TOO_MANY_SANDBOX_NUMBERS
-- Cost    O(log N)

local call = redis.call
local records, names, limit = KEYS[1], KEYS[2], tonumber(ARGV[4])
local stored = call('HGET', records, ARGV[1]) or ''
if stored ~= ARGV[2] then return 0 end
if stored == '' and limit and call('HLEN', records) >= limit then
  return redis.error_reply('RMQ_TOO_MANY_SANDBOX_NUMBERS ' .. limit)
end
call('HSET', records, ARGV[1], ARGV[3])
call('ZADD', names, 0, ARGV[1])
return 1
