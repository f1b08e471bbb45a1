#!lua flags=allow-oom
-- worker.unique_free: give such a place back, if it is still this task's.
--
-- KEYS[1] holder   string  task id, until (ms)
-- ARGV[1] id
--
-- Reply   1 where it was
-- Errors  none
-- Cost    O(1)
--@include lib/base

local whose = string.match(call('GET', KEYS[1]) or '', '^(.*) %d+$')
if whose ~= ARGV[1] then return 0 end
return call('DEL', KEYS[1])
