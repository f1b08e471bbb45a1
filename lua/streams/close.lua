#!lua flags=allow-oom
-- streams.close: let a shard take no more records, because others take its place. Again, it changes
-- nothing.
--
-- KEYS[1] state        hash
-- KEYS[2] log          stream
-- ARGV[1] incarnation
-- ARGV[2] now_ms       '' in production; the clock of a test
--
-- Reply   its last position, when it was closed (us)
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/shard

local state, log = KEYS[1], KEYS[2]
local s = call('HMGET', state, 'incarnation', 'last', 'closed', 'closed_us')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
if s[3] then return { s[2], s[4] or s[2] } end
local now = now_us(ARGV[2])
local last = int(math.max(now, tonumber(s[2]) + 1))
-- Whoever waits for records wakes, and finds the end.
call('XADD', log, last .. '-0', 'c', '')
call('HSET', state, 'closed', '1', 'last', last, 'closed_us', int(now))
return { last, int(now) }
