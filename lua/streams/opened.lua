#!lua
-- streams.opened: all shards of a new stream are open.
--
-- KEYS[1] state    hash
-- ARGV[1] version  the one that was created
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/stream

local s = call('HMGET', KEYS[1], 'version', 'status')
local refusal = refuse_stream(s[1], ARGV[1])
if refusal then return refusal end
if s[2] == 'CREATING' then call('HSET', KEYS[1], 'status', 'ACTIVE') end
return 1
