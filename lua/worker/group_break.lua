#!lua flags=allow-oom
-- worker.group_break: what comes before a group was not done, so its members are never sent. Whoever
-- waits for it hears how each of them "ended".
--
-- KEYS[1] state     hash    see worker.group_begin
-- KEYS[2] ended     list    at most one token, which waiters hand on
-- ARGV[1] outcome   of each member (JSON)
-- ARGV[2] keep_ms   for how long it is kept
-- ARGV[3] expires   1 where the server's clock is the one that counts, and not a test's
--
-- Reply   1; 0 where nobody knows it, or its members were sent: what came before it was done once, and
--         only a repeat of that failed
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state, ended = KEYS[1], KEYS[2]
local s = call('HMGET', state, 'total', 'sent', 'broken')
if not s[1] or s[2] or s[3] then return 0 end
call('HSET', state, 'broken', ARGV[1])
if call('LLEN', ended) == 0 then call('LPUSH', ended, '1') end
if ARGV[3] == '1' then
  call('PEXPIRE', state, ARGV[2])
  call('PEXPIRE', ended, ARGV[2])
end
return 1
