#!lua flags=allow-oom
-- worker.result_cancel: a task is not wanted any more. One that has not begun is not begun; who runs
-- it has to be told.
--
-- KEYS[1] state    hash    see worker.result_start
-- KEYS[2] ended    list    at most one token
-- ARGV[1] keep_ms  for how long it is remembered
-- ARGV[2] now_ms   '' in production; the clock of a test
--
-- Reply   what it was: '', running, done, failed, cancelled; then the worker that runs it
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state, ended = KEYS[1], KEYS[2]
local now_ms = math.floor(now_us(ARGV[2]) / 1000)
local s = call('HMGET', state, 'state', 'until', 'worker')
local before = s[1] or ''
if s[2] and tonumber(s[2]) <= now_ms then before = '' end
if before == 'done' or before == 'failed' or before == 'cancelled' then return { before, '' } end
if before == 'running' then
  call('HSET', state, 'cancel', '1')
  return { before, s[3] or '' }
end
call('HSET', state, 'state', 'cancelled', 'value', '', 'ended', int(now_ms),
  'until', int(now_ms + tonumber(ARGV[1])))
if call('LLEN', ended) == 0 then call('LPUSH', ended, '1') end
if ARGV[2] == '' then
  call('PEXPIRE', state, ARGV[1])
  call('PEXPIRE', ended, ARGV[1])
end
return { before, '' }
