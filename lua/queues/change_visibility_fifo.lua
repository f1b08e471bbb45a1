#!lua flags=allow-oom
-- queues.change_visibility_fifo: move the end of leases that are still held, and of their groups'
-- locks with them.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message, group
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] order     zset
-- KEYS[5] groups    zset
-- KEYS[6] wake      list
-- KEYS[7] first     hash
-- ARGV[1] version
-- ARGV[2] default_ms   see queues.change_visibility
-- ARGV[3] total_ms     the most that a message may stay invisible since its receive; '' for ever
-- ARGV[4] delay_ms     the queue's
-- ARGV[5..]         seq, receive_count, received_ms, timeout_ms (0 makes it visible at once), ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   as queues.change_visibility; -3 also when the lease has run out
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease
--@include lib/fifo

local state, log, inflight = KEYS[1], KEYS[2], KEYS[3]
local order, groups, wake, first = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local s = call('HMGET', state, 'version', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[#ARGV])
local now_ms, total_ms, delay_ms = math.floor(now / 1000), tonumber(ARGV[3]), tonumber(ARGV[4])
local reply, touched, sooner = {}, {}, false
for i = 5, #ARGV - 4, 4 do
  local seq, count, timeout_ms = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 3])
  local lease = call('ZSCORE', inflight, seq)
  local entry = call('XRANGE', log, seq, seq)[1]
  local answer
  if not entry then
    answer = -1
  elseif not lease then
    answer = -2
  elseif lease_count(lease) ~= count or lease_due(lease) <= now_ms or lease_due(lease) == FAR then
    answer = -3
  elseif total_ms and now_ms + timeout_ms - tonumber(ARGV[i + 2]) > total_ms then
    answer = -4
  else
    answer = int(now_ms + timeout_ms)
    keep_first(first, seq, lease, tonumber(ARGV[2]))
    call('ZADD', inflight, pack_lease(now_ms + timeout_ms, count), seq)
    touched[entry[2][4]] = true
    if timeout_ms < tonumber(ARGV[2]) then sooner = true end
  end
  reply[#reply + 1] = answer
end
for group in pairs(touched) do settle(order, groups, inflight, group, now_ms, delay_ms) end
if sooner then wake_one(wake, s[2], now) end
return reply
