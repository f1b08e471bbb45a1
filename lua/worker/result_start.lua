#!lua flags=allow-oom
-- worker.result_start: a worker begins a task whose result is kept.
--
-- KEYS[1] state    hash    state, value, part, text, worker, started, ended, until
-- ARGV[1] worker
-- ARGV[2] keep_ms  for how long this is kept where it never ends
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   what it was before: '', running, done, failed, cancelled. What is done or was cancelled
--         stays so, and is not to be run
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state = KEYS[1]
local now_ms = math.floor(now_us(ARGV[3]) / 1000)
local s = call('HMGET', state, 'state', 'until')
local before = s[1] or ''
if s[2] and tonumber(s[2]) <= now_ms then
  call('DEL', state)
  before = ''
end
if before == 'done' or before == 'cancelled' then return before end
call('HDEL', state, 'value', 'ended')
call('HSET', state, 'state', 'running', 'worker', ARGV[1], 'started', int(now_ms),
  'until', int(now_ms + tonumber(ARGV[2])))
if ARGV[3] == '' then call('PEXPIRE', state, ARGV[2]) end
return before
