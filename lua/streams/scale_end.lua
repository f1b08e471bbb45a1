#!lua flags=allow-oom
-- streams.scale_end: a stream has the shards that it was on its way to.
--
-- KEYS[1] state    hash
-- ARGV[1] version
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/stream

local version = call('HGET', KEYS[1], 'version')
local refusal = refuse_stream(version, ARGV[1])
if refusal then return refusal end
if call('HDEL', KEYS[1], 'target') == 1 then
  call('HSET', KEYS[1], 'version', next_version(version))
end
return 1
