#!lua
-- streams.set_attributes: change the config, all of it or nothing, and its version with it.
--
-- KEYS[1] state    hash
-- KEYS[2] config   hash
-- KEYS[3] queues   set     these need a stream on demand
-- ARGV[1] version  the one the change was decided on
-- ARGV[2] n        how many of what follows are rationed
-- ARGV[3..]        n times what is rationed, how often in 24 hours ('' for any number); then
--                  attribute, text, ..; an empty text removes the attribute
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   the version after the change
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_STREAM_IN_USE RMQ_LIMIT_EXCEEDED
-- Cost    O(attributes)
--@include lib/base
--@include lib/stream
--@include lib/ration

local state, config, queues = KEYS[1], KEYS[2], KEYS[3]
local s = call('HMGET', state, 'version', 'status')
local refusal = refuse_stream(s[1], ARGV[1])
if refusal then return refusal end
if s[2] ~= 'ACTIVE' then return redis.error_reply('RMQ_STREAM_IN_USE it is ' .. s[2]) end
local now_ms, last = math.floor(now_us(ARGV[#ARGV]) / 1000), 2 + 2 * tonumber(ARGV[2])
local times = {}
for i = 3, last, 2 do
  times[i] = ration(call('HGET', state, ARGV[i]), ARGV[i + 1], now_ms)
  if not times[i] then
    return redis.error_reply('RMQ_LIMIT_EXCEEDED it had ' .. ARGV[i + 1] .. ' '
      .. string.gsub(ARGV[i], '_', ' ') .. ' in the last 24 hours, its limit')
  end
end
for i = last + 1, #ARGV - 2, 2 do
  if ARGV[i] == 'mode' and ARGV[i + 1] ~= 'ON_DEMAND' and call('EXISTS', queues) == 1 then
    return redis.error_reply('RMQ_STREAM_IN_USE it has queues; delete them first')
  end
end

for i = 3, last, 2 do call('HSET', state, ARGV[i], times[i]) end
for i = last + 1, #ARGV - 2, 2 do
  if ARGV[i + 1] == '' then call('HDEL', config, ARGV[i])
  else call('HSET', config, ARGV[i], ARGV[i + 1]) end
end
local version = next_version(s[1])
call('HSET', state, 'version', version)
return version
