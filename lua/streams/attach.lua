#!lua
-- streams.attach: note a queue or a channel that stands on a stream, which is not removed from under
-- it then.
--
-- KEYS[1] state     hash
-- KEYS[2] attached  set    ids of queues, or of channels
-- ARGV[1] incarnation  the one that is meant
-- ARGV[2] id
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STREAM_IN_USE
-- Cost    O(1)

local s = redis.call('HMGET', KEYS[1], 'version', 'status')
-- Another incarnation of that name is another stream.
if not s[1] or string.match(s[1], '^%x+') ~= ARGV[1] then
  return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST')
end
if s[2] ~= 'ACTIVE' then return redis.error_reply('RMQ_STREAM_IN_USE it is ' .. s[2]) end
redis.call('SADD', KEYS[2], ARGV[2])
return 1
