#!lua flags=allow-oom
-- queues.change_visibility: move the end of leases that are still held.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] wake      list
-- KEYS[5] first     hash
-- ARGV[1] version
-- ARGV[2] default_ms   the queue's visibility timeout; no consumer sleeps longer than this, so only
--                      a lease that ends sooner needs to wake one
-- ARGV[3] total_ms     the most that a message may stay invisible since its receive; '' for ever
-- ARGV[4..]         seq, receive_count, received_ms, timeout_ms (0 makes it visible at once), ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   per message when it may next be received (ms), or
--         -1 gone, -2 not in flight, -3 received by someone else since, -4 beyond total_ms
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease

local state, log, inflight, wake, first = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local s = call('HMGET', state, 'version', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[#ARGV])
local now_ms, total_ms = math.floor(now / 1000), tonumber(ARGV[3])
local reply, sooner = {}, false
for i = 4, #ARGV - 4, 4 do
  local seq, count, timeout_ms = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 3])
  local lease = call('ZSCORE', inflight, seq)
  local answer
  if not lease then
    answer = call('XRANGE', log, seq, seq)[1] and -2 or -1
  elseif lease_count(lease) ~= count then
    answer = -3
  elseif lease_due(lease) <= now_ms or lease_due(lease) == FAR then
    answer = -2
  elseif total_ms and now_ms + timeout_ms - tonumber(ARGV[i + 2]) > total_ms then
    answer = -4
  else
    answer = int(now_ms + timeout_ms)
    keep_first(first, seq, lease, tonumber(ARGV[2]))
    call('ZADD', inflight, pack_lease(now_ms + timeout_ms, count), seq)
    if timeout_ms < tonumber(ARGV[2]) then sooner = true end
  end
  reply[#reply + 1] = answer
end
if sooner then wake_one(wake, s[2], now) end
return reply
