#!lua flags=allow-oom
-- worker.limit_release: give places back, and wake one who waits for one.
--
-- KEYS[1] held      zset    holder -> when its lease ends (ms)
-- KEYS[2] wake      list    at most one token
-- ARGV[1..]       holders, at most 1000
--
-- Reply   how many were held
-- Errors  none
-- Cost    O(holders * log N)
--@include lib/base

local held, wake = KEYS[1], KEYS[2]
local freed = call('ZREM', held, unpack(ARGV))
if freed > 0 and call('LLEN', wake) == 0 then
  call('LPUSH', wake, '1')
  -- Loss of a token costs whoever waits a little time: they look again when a lease ends.
  call('PEXPIRE', wake, 60000)
end
return freed
