#!lua flags=allow-oom
-- queues.change_visibility: move the end of leases that are still held; on a FIFO queue their
-- groups' locks with them.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message (and group)
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] first     hash
-- KEYS[5] order     zset
-- KEYS[6] groups    zset
-- KEYS[7] wake      list
-- ARGV[1] version
-- ARGV[2] default_ms   the queue's visibility timeout; no consumer sleeps longer than this, so only
--                      a lease that ends sooner needs to wake one
-- ARGV[3] total_ms     the most that a message may stay invisible since its receive; '' for ever
-- ARGV[4] delay_ms     a FIFO queue's delay; '' on a standard queue
-- ARGV[5..]         seq, receive_count, received_ms, timeout_ms (0 makes it visible at once), ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   per message when it may next be received (ms), or
--         -1 gone, -2 not in flight, -3 received by someone else since, -4 beyond total_ms;
--         on a FIFO queue -3 also when the lease has run out
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo

local state, log, inflight, first = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local order, groups, wake = KEYS[5], KEYS[6], KEYS[7]
local s = call('HMGET', state, 'version', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[#ARGV])
local now_ms, default_ms = math.floor(now / 1000), tonumber(ARGV[2])
local total_ms, delay_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local seqs = {}
for i = 5, #ARGV - 4, 4 do seqs[#seqs + 1] = ARGV[i] end
local scores, firsts = call('ZMSCORE', inflight, unpack(seqs)), call('HMGET', first, unpack(seqs))

local reply, leases, kept, touched, sooner = {}, {}, {}, {}, false
for n = 1, #seqs do
  local i, seq, lease, entry = 1 + 4 * n, seqs[n], scores[n], nil
  local count, timeout_ms = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 3])
  if delay_ms or not lease then entry = call('XRANGE', log, seq, seq)[1] end
  local held = lease and lease_due(lease) > now_ms and lease_due(lease) < FAR
  if not lease then
    reply[n] = entry and -2 or -1
  elseif delay_ms and not entry then
    reply[n] = -1
  elseif lease_count(lease) ~= count then
    reply[n] = -3
  elseif not held then
    reply[n] = delay_ms and -3 or -2
  elseif total_ms and now_ms + timeout_ms - tonumber(ARGV[i + 2]) > total_ms then
    reply[n] = -4
  else
    reply[n] = int(now_ms + timeout_ms)
    leases[#leases + 1] = pack_lease(now_ms + timeout_ms, count)
    leases[#leases + 1] = seq
    if count == 1 and not firsts[n] then
      kept[#kept + 1] = seq
      kept[#kept + 1] = int(lease_due(lease) - default_ms)
    end
    if entry then touched[entry[2][4]] = true end
    if timeout_ms < default_ms then sooner = true end
  end
end
if #leases == 0 then return reply end
call('ZADD', inflight, unpack(leases))
if #kept > 0 then call('HSET', first, unpack(kept)) end
for group in pairs(touched) do settle(order, groups, inflight, group, now_ms, delay_ms) end
if sooner then wake_one(wake, s[2], now) end
return reply
