#!lua flags=allow-oom
-- queues.delete_fifo: remove received messages and free their groups.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message, group
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] first     hash
-- KEYS[5] order     zset
-- KEYS[6] groups    zset
-- KEYS[7] wake      list
-- ARGV[1] version
-- ARGV[2] delay_ms  the queue's
-- ARGV[3..]         seq, receive_count, ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   per message 1 deleted, 0 already gone, -1 the receipt has expired
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo

local state, log, inflight, first = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local order, groups, wake = KEYS[5], KEYS[6], KEYS[7]
local s = call('HMGET', state, 'version', 'deleted', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[#ARGV])
local now_ms, delay_ms = math.floor(now / 1000), tonumber(ARGV[2])
local seqs, reply, ours, places, touched, seen = {}, {}, {}, {}, {}, {}
for i = 3, #ARGV - 2, 2 do seqs[#seqs + 1] = ARGV[i] end
local scores = call('ZMSCORE', inflight, unpack(seqs))
for i = 1, #seqs do
  local seq, lease, count = seqs[i], scores[i], tonumber(ARGV[2 * i + 2])
  local entry = not seen[seq] and call('XRANGE', log, seq, seq)[1]
  if not entry then
    reply[i] = 0
  elseif lease and lease_count(lease) == count and lease_due(lease) > now_ms then
    local group = entry[2][4]
    ours[#ours + 1] = seq
    places[#places + 1] = member(group, seq)
    touched[group] = true
    seen[seq] = true
    reply[i] = 1
  else
    reply[i] = -1
  end
end
if #ours == 0 then return reply end
call('ZREM', inflight, unpack(ours))
call('ZREM', order, unpack(places))
call('XDEL', log, unpack(ours))
call('HDEL', first, unpack(ours))
for group in pairs(touched) do settle(order, groups, inflight, group, now_ms, delay_ms) end
call('HSET', state, 'deleted', int(tonumber(s[2]) + #ours))
wake_one(wake, s[3], now)
return reply
