#!lua flags=allow-oom
-- worker.result_end: a task has ended: done, failed for good, or cancelled. Whoever waits wakes.
--
-- KEYS[1] state    hash    see worker.result_start
-- KEYS[2] ended    list    at most one token, which waiters hand on
-- ARGV[1] what     done, failed or cancelled
-- ARGV[2] value    the result; of a failure what it was
-- ARGV[3] keep_ms  for how long it is kept
-- ARGV[4] now_ms   '' in production; the clock of a test
--
-- Reply   1; 0 where it had ended before
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state, ended = KEYS[1], KEYS[2]
local now_ms = math.floor(now_us(ARGV[4]) / 1000)
local s = call('HMGET', state, 'state', 'until')
local live = not s[2] or tonumber(s[2]) > now_ms
if live and (s[1] == 'done' or s[1] == 'cancelled') then return 0 end
call('HSET', state, 'state', ARGV[1], 'value', ARGV[2], 'ended', int(now_ms),
  'until', int(now_ms + tonumber(ARGV[3])))
if call('LLEN', ended) == 0 then call('LPUSH', ended, '1') end
if ARGV[4] == '' then
  call('PEXPIRE', state, ARGV[3])
  call('PEXPIRE', ended, ARGV[3])
end
return 1
