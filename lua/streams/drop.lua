#!lua flags=allow-oom
-- streams.drop: remove a shard with all it holds. What stays for a while is a log with nothing but an
-- end: whoever waits for records, or is just about to, wakes and looks.
--
-- KEYS[1] state   hash
-- KEYS[2] log     stream
-- KEYS[3..]       every other key of the shard
-- ARGV[1] incarnation
--
-- Reply   1
-- Errors  none
-- Cost    O(1): the memory is given back in the background
--@include lib/base

local state, log = KEYS[1], KEYS[2]
local END_MS = 60000
local s = call('HMGET', state, 'incarnation', 'last')
-- Gone, or made anew since: then it is not the caller's to remove.
if s[1] ~= ARGV[1] then return 1 end
call('UNLINK', state, log, unpack(KEYS, 3))
call('XADD', log, int(tonumber(s[2]) + 1) .. '-0', 'c', '')
call('PEXPIRE', log, END_MS)
return 1
