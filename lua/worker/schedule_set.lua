#!lua
-- worker.schedule_set: pause a schedule, let it go on, or remove it.
--
-- KEYS[1] schedules  hash    name -> schedule
-- KEYS[2] index      zset    names, scores 0
-- KEYS[3] due        zset    name -> the next moment (ms)
-- KEYS[4] paused     hash    name -> since when (ms)
-- KEYS[5] runs       hash    name -> the last moment fired (ms); 'error name' -> why one was lost
-- KEYS[6] wake       list    at most one token
-- ARGV[1] name
-- ARGV[2] what       pause, resume or remove
-- ARGV[3] next_ms    the next moment, for resume; 0 for never
-- ARGV[4] now_ms     '' in production; the clock of a test
--
-- Reply   1 where anything changed
-- Errors  RMQ_SCHEDULE_DOES_NOT_EXIST
-- Cost    O(log N)
--@include lib/base

local schedules, index, due, paused, runs, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local name, what = ARGV[1], ARGV[2]
if call('HEXISTS', schedules, name) == 0 then
  return redis.error_reply('RMQ_SCHEDULE_DOES_NOT_EXIST ' .. name)
end
local now_ms = int(math.floor(now_us(ARGV[4]) / 1000))
if what == 'remove' then
  call('HDEL', schedules, name)
  call('ZREM', index, name)
  call('ZREM', due, name)
  call('HDEL', paused, name)
  call('HDEL', runs, name, 'error ' .. name)
  return 1
end
if what == 'pause' then
  call('ZREM', due, name)
  return call('HSETNX', paused, name, now_ms)
end
if call('HDEL', paused, name) == 0 then return 0 end
if ARGV[3] ~= '0' then call('ZADD', due, ARGV[3], name) end
if call('LLEN', wake) == 0 then call('LPUSH', wake, '1') end
return 1
