#!lua
-- streams.peak: remember the busiest minute of each day, for 30 days.
--
-- KEYS[1] state      hash
-- KEYS[2] peaks      hash   day since 1970 -> bytes and records a second
-- ARGV[1] fence      the number of the caller's claim
-- ARGV[2] bytes_s    of the last minute, all shards together
-- ARGV[3] records_s
-- ARGV[4] now_ms     '' in production; the clock of a test
--
-- Reply   the highest of both in the last 30 days
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(days)
--@include lib/base

local state, peaks = KEYS[1], KEYS[2]
local DAYS, DAY_US = 30, 24 * 3600 * 1000000
local s = call('HMGET', state, 'version', 'fence')
if not s[1] then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end
if s[2] ~= ARGV[1] then return redis.error_reply('RMQ_STALE_CONFIG') end
local today = math.floor(now_us(ARGV[4]) / DAY_US)
local bytes, records = tonumber(ARGV[2]), tonumber(ARGV[3])
local most_bytes, most_records = bytes, records
local all = call('HGETALL', peaks)
for i = 1, #all, 2 do
  local day, b, r = tonumber(all[i]), string.match(all[i + 1], '^(%d+) (%d+)$')
  if day <= today - DAYS then call('HDEL', peaks, all[i])
  else
    most_bytes, most_records = math.max(most_bytes, tonumber(b)), math.max(most_records, tonumber(r))
    if day == today then bytes, records = math.max(bytes, tonumber(b)), math.max(records, tonumber(r)) end
  end
end
call('HSET', peaks, int(today), int(bytes) .. ' ' .. int(records))
return { most_bytes, most_records }
