#!lua
-- streams.scale_begin: write down to how many uniform shards a stream is on its way.
--
-- KEYS[1] state    hash
-- ARGV[1] version
-- ARGV[2] target   how many shards it is to have
-- ARGV[3] most     how often in 24 hours; '' for any number
-- ARGV[4] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_STREAM_IN_USE RMQ_LIMIT_EXCEEDED
-- Cost    O(1)
--@include lib/base
--@include lib/stream
--@include lib/ration

local state = KEYS[1]
local s = call('HMGET', state, 'version', 'status', 'scalings')
local refusal = refuse_stream(s[1], ARGV[1])
if refusal then return refusal end
if s[2] ~= 'ACTIVE' then return redis.error_reply('RMQ_STREAM_IN_USE it is ' .. s[2]) end
local times = ration(s[3], ARGV[3], math.floor(now_us(ARGV[4]) / 1000))
if not times then
  return redis.error_reply('RMQ_LIMIT_EXCEEDED its shard count was updated ' .. ARGV[3]
    .. ' times in the last 24 hours, its limit')
end
call('HSET', state, 'version', next_version(s[1]), 'target', ARGV[2], 'scalings', times)
return 1
