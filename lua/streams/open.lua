#!lua
-- streams.open: make a shard ready to take records. Again, it changes nothing.
--
-- KEYS[1] state         hash   incarnation, version, base, last position, retention, totals, lanes
-- KEYS[2] log           stream
-- KEYS[3] lanes         zset
-- ARGV[1] incarnation   of the stream
-- ARGV[2] version       the number of the description that the shard knows
-- ARGV[3] base          records have positions above it
-- ARGV[4] retention_ms
-- ARGV[5] created_us    when the stream was made
-- ARGV[6] now_ms        '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_STALE_CONFIG
-- Cost    O(1): what an earlier stream left is given back in the background
--@include lib/base

local state, log, lanes = KEYS[1], KEYS[2], KEYS[3]
local SWEEP_US = 60 * 1000000
local s = call('HMGET', state, 'incarnation', 'created_us')
if s[1] == ARGV[1] then return 1 end
-- Who opens late, for a stream that is gone and was made anew since, must not empty the new one.
if s[1] and tonumber(s[2]) >= tonumber(ARGV[5]) then
  return redis.error_reply('RMQ_STALE_CONFIG')
end
call('UNLINK', state, log, lanes)
call('HSET', state, 'incarnation', ARGV[1], 'version', ARGV[2], 'base', ARGV[3], 'last', ARGV[3],
  'created_us', ARGV[5],
  'retention_ms', ARGV[4], 'records', '0', 'bytes', '0',
  'sweep', int(now_us(ARGV[6]) + SWEEP_US))
return 1
