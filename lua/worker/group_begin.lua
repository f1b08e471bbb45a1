#!lua
-- worker.group_begin: a group of tasks is about to be sent, or may be later.
--
-- KEYS[1] state     hash    total, callback, sent, closed, broken
-- ARGV[1] total     how many there are, 1..1000
-- ARGV[2] callback  what is to be done when all have ended (JSON); '' for nothing
-- ARGV[3] keep_ms   for how long it is kept where they never end
-- ARGV[4] is_sent   1 where its members are being sent now: from here on it can not be broken off
-- ARGV[5] expires   1 where the server's clock is the one that counts, and not a test's
--
-- Reply   1; 0 for a repeat
-- Errors  none
-- Cost    O(1)
--@include lib/base

local is_new = call('HSETNX', KEYS[1], 'total', ARGV[1])
if is_new == 1 then
  call('HSET', KEYS[1], 'callback', ARGV[2])
  if ARGV[5] == '1' then call('PEXPIRE', KEYS[1], ARGV[3]) end
end
if ARGV[4] == '1' then call('HSET', KEYS[1], 'sent', '1') end
return is_new
