#!lua
-- worker.pause: no worker of the app takes anything from a queue, or they may again.
--
-- KEYS[1] paused   hash    queue -> since when (ms)
-- ARGV[1] queue
-- ARGV[2] what     pause or resume
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   1 where that changed anything
-- Errors  none
-- Cost    O(1)
--@include lib/base

local now_ms = int(math.floor(now_us(ARGV[3]) / 1000))
if ARGV[2] == 'pause' then return call('HSETNX', KEYS[1], ARGV[1], now_ms) end
return call('HDEL', KEYS[1], ARGV[1])
