#!lua
-- queues.redelay: apply a FIFO queue's new delay to the groups that wait for the old one.
--
-- KEYS[1] state     hash
-- KEYS[2] order     zset
-- KEYS[3] groups    zset
-- KEYS[4] inflight  zset
-- KEYS[5] wake      list
-- ARGV[1] version
-- ARGV[2] delay_ms  the new one
-- ARGV[3] offset    groups to skip: looked at before, and locked
-- ARGV[4] limit     how many groups, 1..1000
-- ARGV[5] now_ms    '' in production; the clock of a test
--
-- Reply   how many groups were looked at, how many of them wait on
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(limit * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo

local order, groups, inflight, wake = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local s = call('HMGET', KEYS[1], 'version', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[5])
local now_ms, waits = math.floor(now / 1000), 0
local late = call('ZRANGEBYSCORE', groups, '(' .. int(now_ms), '+inf', 'LIMIT', ARGV[3], ARGV[4])
for i = 1, #late do
  settle(order, groups, inflight, late[i], now_ms, tonumber(ARGV[2]))
  local moment = call('ZSCORE', groups, late[i])
  if moment and tonumber(moment) > now_ms then waits = waits + 1 end
end
wake_one(wake, s[2], now)
return { #late, waits }
