#!lua flags=no-writes
-- topics.inner_due: when an inner queue has to be looked at again.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] delayed   zset    seq -> due_ms
-- ARGV[1] now_ms    '' in production; the clock of a test
--
-- Reply   0 when nothing is in it, now where something is visible, else when something will be (ms)
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST
-- Cost    O(1)
--@include lib/base
--@include lib/lease

local log, inflight, delayed = KEYS[2], KEYS[3], KEYS[4]
if call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('RMQ_QUEUE_DOES_NOT_EXIST') end
local all = call('XLEN', log)
if all == 0 then return 0 end
local now_ms = math.floor(now_us(ARGV[1]) / 1000)
if all > call('ZCARD', inflight) + call('ZCARD', delayed) then return now_ms end
local soonest, lease = FAR, call('ZRANGE', inflight, 0, 0, 'WITHSCORES')[2]
if lease then soonest = lease_due(lease) end
local ripe = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
if ripe then soonest = math.min(soonest, tonumber(ripe)) end
return math.max(soonest, now_ms)
