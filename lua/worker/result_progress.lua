#!lua flags=allow-oom
-- worker.result_progress: how far a running task is.
--
-- KEYS[1] state    hash    see worker.result_start
-- ARGV[1] part     0 to 1
-- ARGV[2] text
--
-- Reply   1 where it runs
-- Errors  none
-- Cost    O(1)
--@include lib/base

if call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
call('HSET', KEYS[1], 'part', ARGV[1], 'text', ARGV[2])
return 1
