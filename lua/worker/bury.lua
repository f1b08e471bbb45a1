#!lua flags=allow-oom
-- worker.bury: send received messages on their way to the dead-letter queue, each with the story of
-- its failure.
--
-- As a receive does with a message over its limit: it is leased for ever and its seq goes into the
-- outbox, so that whoever comes by can finish the move, and nothing is written twice.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] first     hash
-- KEYS[5] outbox    stream  s seq, t target queue, k kind, x the failure
-- KEYS[6] order     zset
-- KEYS[7] groups    zset
-- ARGV[1] version
-- ARGV[2] default_ms   the queue's visibility timeout
-- ARGV[3] delay_ms  a FIFO queue's delay; '' on a standard queue
-- ARGV[4] target    the dead-letter queue
-- ARGV[5..]         seq, receive_count, failure (MessagePack), ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   per message 1 on its way, 0 gone, or received by someone else since
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo

local state, log, inflight, first, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups = KEYS[6], KEYS[7]
local refusal = refuse(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end

local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
local default_ms, delay_ms, reply, touched = tonumber(ARGV[2]), tonumber(ARGV[3]), {}, {}
for i = 5, #ARGV - 3, 3 do
  local seq, count = ARGV[i], tonumber(ARGV[i + 1])
  local entry, lease = call('XRANGE', log, seq, seq)[1], call('ZSCORE', inflight, seq)
  local ours = entry and lease and lease_count(lease) == count and lease_due(lease) < FAR
  -- On a FIFO queue the group is not ours any more once the lease has ended.
  if ours and delay_ms and lease_due(lease) <= now_ms then ours = false end
  if ours then
    keep_first(first, seq, lease, default_ms)
    call('XADD', outbox, '*', 's', seq, 't', ARGV[4], 'k', 'd', 'x', ARGV[i + 2])
    call('ZADD', inflight, pack_lease(FAR, count), seq)
    if delay_ms then touched[entry[2][4]] = true end
  end
  reply[#reply + 1] = ours and 1 or 0
end
for group in pairs(touched) do settle(order, groups, inflight, group, now_ms, delay_ms) end
return reply
