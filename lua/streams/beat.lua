#!lua flags=allow-oom
-- streams.beat: move a shard's last position on to now. Who has read all can go on from there, even
-- if the server's clock is set back meanwhile: what comes later has a later position.
--
-- KEYS[1] state        hash
-- ARGV[1] incarnation
-- ARGV[2] now_ms       '' in production; the clock of a test
--
-- Reply   its last position
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/shard

local s = call('HMGET', KEYS[1], 'incarnation', 'last', 'closed')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
local now = int(now_us(ARGV[2]))
if s[3] or tonumber(now) <= tonumber(s[2]) then return s[2] end
call('HSET', KEYS[1], 'last', now)
return now
