#!lua flags=allow-oom
-- streams.inform: tell a shard of a change of the stream. It refuses puts that were made ready by an
-- older description. What was too old to read before stays so.
--
-- KEYS[1] state         hash
-- ARGV[1] incarnation
-- ARGV[2] version       the number of the description
-- ARGV[3] retention_ms
-- ARGV[4] now_ms        '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/shard
--@include lib/retention

local s = call('HMGET', KEYS[1], 'incarnation', 'version', 'retention_ms', 'horizon')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
keep_for(KEYS[1], s[2], s[3], s[4], ARGV[2], ARGV[3], now_us(ARGV[4]))
return 1
