#!lua
-- worker.schedule_trigger: fire a schedule once, now. Its moments stay as they are.
--
-- KEYS[1] state      hash    see worker.schedule_look
-- KEYS[2] schedules  hash    name -> schedule
-- KEYS[3] outbox     stream  seq -> name, moment, schedule
-- KEYS[4] wake       list    at most one token
-- ARGV[1] name
-- ARGV[2] token        of this call: a repeat after a lost answer fires nothing
-- ARGV[3] incarnation  hex, for an app that has none yet
-- ARGV[4] now_ms     '' in production; the clock of a test
--
-- Reply   the moment (ms)
-- Errors  RMQ_SCHEDULE_DOES_NOT_EXIST
-- Cost    O(1)
--@include lib/base

local state, schedules, outbox, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local schedule = call('HGET', schedules, ARGV[1])
if not schedule then return redis.error_reply('RMQ_SCHEDULE_DOES_NOT_EXIST ' .. ARGV[1]) end
local now_ms = int(math.floor(now_us(ARGV[4]) / 1000))
if call('HGET', state, 'triggered') == ARGV[2] then return now_ms end
local seq = call('HINCRBY', state, 'seq', 1)
call('XADD', outbox, int(seq) .. '-0', 'n', ARGV[1], 'm', now_ms, 's', schedule, 't', ARGV[2])
call('HSETNX', state, 'incarnation', ARGV[3])
call('HSET', state, 'triggered', ARGV[2])
if call('LLEN', wake) == 0 then call('LPUSH', wake, '1') end
return now_ms
