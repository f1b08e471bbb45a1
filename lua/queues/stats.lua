#!lua flags=no-writes
-- queues.stats: counts, ages and totals of one queue.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset
-- KEYS[4] delayed   zset
-- KEYS[5] moved     zset    seq -> original sent time (ms)
-- KEYS[6] outbox    stream
-- ARGV[1] version
-- ARGV[2] retention_ms
-- ARGV[3] delay_ms  a FIFO queue's delay; '' on a standard queue
-- ARGV[4] now_ms    '' in production; the clock of a test
--
-- Reply   1 when expired messages are still counted (sweep first), messages, in flight, delayed,
--         oldest sent time (ms; 0 none), sent, received, deleted, moved, expired, bytes, outbox
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(log N)
--@include lib/base
--@include lib/lease

local log, inflight, delayed, moved = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local s = call('HMGET', KEYS[1], 'version', 'sent', 'received', 'deleted', 'moved', 'expired', 'bytes')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[4])
local now_ms, delay_ms = math.floor(now / 1000), tonumber(ARGV[3])
local horizon = now - tonumber(ARGV[2]) * 1000
local late
if not delay_ms then late = call('ZCOUNT', delayed, '(' .. int(now_ms), '+inf')
elseif delay_ms == 0 then late = 0
else late = call('ZCOUNT', delayed, '(' .. int((now_ms - delay_ms) * 1000 + 999), '+inf') end

local oldest, stale = 0, 0
local head = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
if head then
  local seq = tonumber(string.sub(head[1], 1, -3))
  oldest = math.floor(seq / 1000)
  if seq <= horizon then stale = 1 end
end
local earliest = call('ZRANGE', moved, 0, 0, 'WITHSCORES')[2]
if earliest then
  oldest = math.min(oldest, tonumber(earliest))
  if tonumber(earliest) * 1000 <= horizon then stale = 1 end
end
return { stale, call('XLEN', log),
  call('ZCOUNT', inflight, '(' .. due_score(now_ms), '+inf'), late, int(oldest),
  s[2], s[3], s[4], s[5], s[6], s[7], call('XLEN', KEYS[6]) }
