#!lua flags=no-writes
-- streams.find: where a shard is, and whether it has a record at a position.
--
-- KEYS[1] state   hash
-- KEYS[2] log     stream  <position of the last record>-<count> -> block
-- ARGV[1] incarnation
-- ARGV[2] position
-- ARGV[3] now_ms  '' in production; the clock of a test
--
-- Reply   now (us), the first position that counts, the shard's last one, 1 when it is closed; 1 when
--         the record is there
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(bytes of a block)
--@include lib/base
--@include lib/shard

local s = call('HMGET', KEYS[1], 'incarnation', 'last', 'closed', 'retention_ms', 'horizon')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
local now, position = now_us(ARGV[3]), tonumber(ARGV[2])
local horizon = math.max(now - tonumber(s[4]) * 1000, tonumber(s[5]) or 0)
-- The first entry from a position on is the first that has a record from there on.
local entry, is_there = call('XRANGE', KEYS[2], ARGV[2], '+', 'COUNT', 1)[1], 0
if entry then
  local last, count = string.match(entry[1], '^(%d+)-(%d+)$')
  if tonumber(last) - tonumber(count) < position then is_there = 1 end
end
return { int(now), int(horizon), s[2], s[3] and 1 or 0, is_there }
