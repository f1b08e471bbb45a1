#!lua
-- streams.subscribe: let one reader have a shard as a registered consumer. The one before loses it.
--
-- KEYS[1] consumers    hash
-- KEYS[2] subscribers  hash   consumer/number of the shard -> since when (ms), id
-- ARGV[1] name
-- ARGV[2] created_ms   of the consumer that is meant
-- ARGV[3] shard
-- ARGV[4] id           of this reader; said again, it changes nothing
-- ARGV[5] rest_ms      for how long nobody can take it over
-- ARGV[6] now_ms       '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_CONSUMER_DOES_NOT_EXIST RMQ_STREAM_IN_USE
-- Cost    O(1)
--@include lib/base

local consumers, subscribers, name = KEYS[1], KEYS[2], ARGV[1]
local stored = call('HGET', consumers, name)
if not stored or string.match(stored, '^%d+') ~= ARGV[2] then
  return redis.error_reply('RMQ_CONSUMER_DOES_NOT_EXIST ' .. name)
end
local field = name .. '/' .. ARGV[3]
local now_ms = math.floor(now_us(ARGV[6]) / 1000)
local since, id = string.match(call('HGET', subscribers, field) or '', '^(%d+) (.*)$')
if id == ARGV[4] then return 1 end
if since and now_ms < tonumber(since) + tonumber(ARGV[5]) then
  return redis.error_reply('RMQ_STREAM_IN_USE consumer ' .. name .. ' subscribed to that shard less than '
    .. int(tonumber(ARGV[5]) / 1000) .. ' seconds ago')
end
call('HSET', subscribers, field, int(now_ms) .. ' ' .. ARGV[4])
return 1
