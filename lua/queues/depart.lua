#!lua flags=allow-oom
-- queues.depart: send messages of a standard queue that are held under lease on their way to another
-- queue, where they are new ones.
--
-- KEYS[1] state      hash
-- KEYS[2] log        stream  seq -> packed message
-- KEYS[3] inflight   zset    seq -> lease
-- KEYS[4] outbox     stream  s seq, t target queue, k kind
-- ARGV[1] version
-- ARGV[2] target
-- ARGV[3..]          seq, receive_count, ..
-- ARGV[#] now_ms     '' in production; the clock of a test
--
-- Reply   per message 1, or as queues.change_visibility has it
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease

local state, log, inflight, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local refusal = refuse(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end

local now_ms, reply = math.floor(now_us(ARGV[#ARGV]) / 1000), {}
for i = 3, #ARGV - 2, 2 do
  local seq, n = ARGV[i], #reply + 1
  local lease = call('ZSCORE', inflight, seq)
  if not lease then
    reply[n] = #call('XRANGE', log, seq, seq) > 0 and -2 or -1
  elseif lease_count(lease) ~= tonumber(ARGV[i + 1]) then
    reply[n] = -3
  elseif lease_due(lease) <= now_ms or lease_due(lease) >= FAR then
    reply[n] = -2
  else
    call('XADD', outbox, '*', 's', seq, 't', ARGV[2], 'k', 'r')
    call('ZADD', inflight, pack_lease(FAR, lease_count(lease)), seq)
    reply[n] = 1
  end
end
return reply
