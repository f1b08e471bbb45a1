#!lua
-- topics.listen: say that somebody listens, so that what is published goes to the channel too.
--
-- KEYS[1] state    hash
-- ARGV[1] keep_ms  for how long; who goes on listening says so again
-- ARGV[2] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(1)
--@include lib/base

local listened = call('HGET', KEYS[1], 'listened')
if not listened then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local until_us = now_us(ARGV[2]) + tonumber(ARGV[1]) * 1000
if until_us > tonumber(listened) then call('HSET', KEYS[1], 'listened', int(until_us)) end
return 1
