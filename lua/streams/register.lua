#!lua
-- streams.register: register a consumer of a stream (enhanced fan-out).
--
-- KEYS[1] state      hash
-- KEYS[2] consumers  hash   name -> when it was made (ms), tags and policy
-- KEYS[3] queues     set    they count too
-- ARGV[1] version
-- ARGV[2] name
-- ARGV[3] packed     tags and policy
-- ARGV[4] most       how many consumers and queues a stream may have; '' for any
-- ARGV[5] now_ms     '' in production; the clock of a test
--
-- Reply   what is stored
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_STREAM_IN_USE RMQ_CONSUMER_EXISTS
--         RMQ_LIMIT_EXCEEDED
-- Cost    O(1)
--@include lib/base
--@include lib/stream

local state, consumers, name = KEYS[1], KEYS[2], ARGV[2]
local s = call('HMGET', state, 'version', 'status', 'deregistered')
local refusal = refuse_stream(s[1], ARGV[1])
if refusal then return refusal end
if s[2] ~= 'ACTIVE' then return redis.error_reply('RMQ_STREAM_IN_USE it is ' .. s[2]) end
if call('HEXISTS', consumers, name) == 1 then return redis.error_reply('RMQ_CONSUMER_EXISTS ' .. name) end
if ARGV[4] ~= '' and call('HLEN', consumers) + call('SCARD', KEYS[3]) >= tonumber(ARGV[4]) then
  return redis.error_reply('RMQ_LIMIT_EXCEEDED it has ' .. ARGV[4]
    .. ' registered consumers and queues, its limit')
end
local now_ms = math.floor(now_us(ARGV[5]) / 1000)
-- Its ARN ends in the second it was made in, and has to differ from that of the one before it.
local second, last = string.match(s[3] or '', '^(%d+) (.*)$')
if last == name and tonumber(second) >= math.floor(now_ms / 1000) then
  now_ms = (tonumber(second) + 1) * 1000
end
local stored = int(now_ms) .. ' ' .. ARGV[3]
call('HSET', consumers, name, stored)
return stored
