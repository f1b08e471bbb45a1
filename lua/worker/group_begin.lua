#!lua
-- worker.group_begin: a group of tasks is about to be sent.
--
-- KEYS[1] state     hash    total, callback, closed, ended
-- ARGV[1] total     how many there are, 1..1000
-- ARGV[2] callback  what is sent when all have ended; '' for nothing
-- ARGV[3] keep_ms   for how long it is kept where they never end
-- ARGV[4] expires   1 where the server's clock is the one that counts, and not a test's
--
-- Reply   1; 0 for a repeat
-- Errors  none
-- Cost    O(1)
--@include lib/base

if call('HSETNX', KEYS[1], 'total', ARGV[1]) == 0 then return 0 end
call('HSET', KEYS[1], 'callback', ARGV[2])
if ARGV[4] == '1' then call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
