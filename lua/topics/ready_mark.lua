#!lua
-- topics.ready_mark: say that inner queues have something to push.
--
-- KEYS[1] ready    zset  queue and topic -> when to look at it (ms)
-- KEYS[2] wake     list  at most one token
-- ARGV[1] due_ms   0 for now
-- ARGV[2..]        queue and topic, ..
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  none
-- Cost    O(marks * log N)
--@include lib/base

local ready, wake, due = KEYS[1], KEYS[2], ARGV[1]
if due == '0' then due = int(math.floor(now_us(ARGV[#ARGV]) / 1000)) end
local marks = {}
for i = 2, #ARGV - 1 do
  marks[#marks + 1] = due
  marks[#marks + 1] = ARGV[i]
end
-- An earlier moment wins: also over a claim, so that its dispatcher finds the mark when it is done.
if call('ZADD', ready, 'LT', 'CH', unpack(marks)) > 0 and call('LLEN', wake) == 0 then
  call('LPUSH', wake, '1')
end
return 1
