#!lua
-- worker.result_note: what somebody who sends a task wants to find with its result.
--
-- KEYS[1] state    hash    see worker.result_start; here note
-- ARGV[1] note
-- ARGV[2] keep_ms  for how long it is kept where the task never ends
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  none
-- Cost    O(1)
--@include lib/base

local now_ms = math.floor(now_us(ARGV[3]) / 1000)
call('HSET', KEYS[1], 'note', ARGV[1], 'until', int(now_ms + tonumber(ARGV[2])))
if ARGV[3] == '' then call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
