#!lua flags=allow-oom
-- queues.bury: send what was received too often, and not deleted in time, on its way to the
-- dead-letter queue. A receive does this in passing; this is for who looks at the dead letters.
--
-- KEYS[1] state      hash
-- KEYS[2] inflight   zset    seq -> lease
-- KEYS[3] first      hash    seq -> when it was first received (ms)
-- KEYS[4] outbox     stream  s seq, t target queue, k kind
-- ARGV[1] version
-- ARGV[2] max_receive_count
-- ARGV[3] target     the dead-letter queue
-- ARGV[4] default_ms   the queue's visibility timeout
-- ARGV[5] limit      1..1000: how many leases are looked at
-- ARGV[6] now_ms     '' in production; the clock of a test
--
-- Reply   how many there were
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(limit * log N)
--@include lib/base
--@include lib/lease

local state, inflight, first, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local refusal = refuse(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end

local now_ms = math.floor(now_us(ARGV[6]) / 1000)
local most, default_ms, buried = tonumber(ARGV[2]), tonumber(ARGV[4]), 0
-- A lease that was given back when its message left a group has no end, and is below 2048.
local ended = call('ZRANGEBYSCORE', inflight, 2048, due_score(now_ms), 'WITHSCORES',
  'LIMIT', 0, ARGV[5])
for i = 1, #ended, 2 do
  local seq, lease = ended[i], ended[i + 1]
  if lease_count(lease) >= most then
    keep_first(first, seq, lease, default_ms)
    call('XADD', outbox, '*', 's', seq, 't', ARGV[3], 'k', 'd')
    call('ZADD', inflight, pack_lease(FAR, lease_count(lease)), seq)
    buried = buried + 1
  end
end
return buried
