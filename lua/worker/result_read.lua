#!lua flags=allow-oom
-- worker.result_read: what is known of a task, and, where it has ended, a token for the next one who
-- waits.
--
-- KEYS[1] state    hash    see worker.result_start
-- KEYS[2] ended    list    at most one token, which waiters hand on
-- ARGV[1] now_ms   '' in production; the clock of a test
--
-- Reply   state, value, part, text, worker, started, ended, note; '' for what is not known
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state, ended = KEYS[1], KEYS[2]
local now_ms = math.floor(now_us(ARGV[1]) / 1000)
local s = call('HMGET', state, 'state', 'value', 'part', 'text', 'worker', 'started', 'ended',
  'note', 'until')
if s[9] and tonumber(s[9]) <= now_ms then return { '', '', '', '', '', '', '', '' } end
if s[7] and call('LLEN', ended) == 0 then
  call('LPUSH', ended, '1')
  if ARGV[1] == '' then call('PEXPIRE', ended, int(tonumber(s[9]) - now_ms)) end
end
local reply = {}
for i = 1, 8 do reply[i] = s[i] or '' end
return reply
