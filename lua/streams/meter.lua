#!lua
-- streams.meter: what a shard gives in a second, where a client wants that limited: ask for a read,
-- or note what one brought.
--
-- KEYS[1] state        hash
-- ARGV[1] incarnation
-- ARGV[2] reads        reads a second; '' for any
-- ARGV[3] bytes_rate   bytes a second; '' for any
-- ARGV[4] brought      '' to ask for a read, else the bytes that one brought
-- ARGV[5] now_ms       '' in production; the clock of a test
--
-- Reply   1 when there may be a read, 0 when it is too soon
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/shard

local state, reads, rate = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local s = call('HMGET', state, 'incarnation', 'meter_us', 'meter_reads', 'meter_bytes')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[5])
local passed_s = math.max(now - (tonumber(s[2]) or 0), 0) / 1000000
local left_reads = reads and math.min((tonumber(s[3]) or reads) + passed_s * reads, reads)
local left_bytes = rate and math.min((tonumber(s[4]) or rate) + passed_s * rate, rate)
local may = true
if ARGV[4] == '' then
  may = not (left_reads and left_reads < 1 or left_bytes and left_bytes <= 0)
  if may and left_reads then left_reads = left_reads - 1 end
elseif left_bytes then
  local brought = tonumber(ARGV[4])
  -- 10 MiB at 2 MiB a second keep others out for 5 seconds, whatever was left before.
  if brought > rate then left_bytes = math.min(left_bytes, 0) end
  left_bytes = left_bytes - brought
end
call('HSET', state, 'meter_us', int(now), 'meter_reads', format('%.6f', left_reads or 0),
  'meter_bytes', format('%.6f', left_bytes or 0))
return may and 1 or 0
