#!lua
-- worker.command: tell a live worker to do something. It wakes at once.
--
-- KEYS[1] workers   zset    id -> until when it counts as alive (ms)
-- KEYS[2] commands  string  the number of the last command
-- KEYS[3] inbox     zset    of that worker: number and command -> number
-- KEYS[4] wake      list    of that worker: at most one token
-- ARGV[1] id
-- ARGV[2] command
-- ARGV[3] now_ms    '' in production; the clock of a test
--
-- Reply   the command's number
-- Errors  RMQ_WORKER_DOES_NOT_EXIST
-- Cost    O(log N)
--@include lib/base

local workers, inbox, wake = KEYS[1], KEYS[3], KEYS[4]
local ends = call('ZSCORE', workers, ARGV[1])
if not ends or tonumber(ends) <= now_us(ARGV[3]) / 1000 then
  return redis.error_reply('RMQ_WORKER_DOES_NOT_EXIST ' .. ARGV[1])
end
local number = call('INCR', KEYS[2])
call('ZADD', inbox, int(number), int(number) .. ' ' .. ARGV[2])
-- A live worker reads them within seconds; what is left is a dead one's.
call('PEXPIRE', inbox, 3600000)
if call('LLEN', wake) == 0 then
  call('LPUSH', wake, '1')
  call('PEXPIRE', wake, 3600000)
end
return number
