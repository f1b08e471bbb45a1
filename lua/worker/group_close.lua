#!lua flags=allow-oom
-- worker.group_close: a group's callback is sent.
--
-- KEYS[1] state     hash    see worker.group_end
--
-- Reply   1
-- Errors  none
-- Cost    O(1)
--@include lib/base

if call('EXISTS', KEYS[1]) == 1 then call('HSET', KEYS[1], 'closed', '1') end
return 1
