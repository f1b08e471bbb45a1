#!lua
-- queues.mark_delayed: after a FIFO queue's delay was raised, count what is already here as delayed.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset
-- KEYS[4] delayed   zset    seq -> seq
-- ARGV[1] version
-- ARGV[2] delay_ms  the new one
-- ARGV[3] after     seq to go on behind; 0 at first
-- ARGV[4] limit     how many messages, 1..1000
-- ARGV[5] now_ms    '' in production; the clock of a test
--
-- Reply   the last seq looked at; 0 when there is no more
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(limit * log N)
--@include lib/base

local log, inflight, delayed = KEYS[2], KEYS[3], KEYS[4]
local refusal = refuse(call('HGET', KEYS[1], 'version'), ARGV[1])
if refusal then return refusal end

local after = math.max(tonumber(ARGV[3]), now_us(ARGV[5]) - tonumber(ARGV[2]) * 1000)
local entries = call('XRANGE', log, '(' .. int(math.max(after, 0)), '+', 'COUNT', ARGV[4])
if #entries == 0 then return '0' end
local seqs, marks = {}, {}
for i = 1, #entries do seqs[i] = string.sub(entries[i][1], 1, -3) end
local leases = call('ZMSCORE', inflight, unpack(seqs))
for i = 1, #seqs do
  if not leases[i] then
    marks[#marks + 1] = seqs[i]
    marks[#marks + 1] = seqs[i]
  end
end
if #marks > 0 then call('ZADD', delayed, unpack(marks)) end
return seqs[#seqs]
