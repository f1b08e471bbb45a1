#!lua
-- queues.deliver_fifo: take in what a FIFO topic has for this FIFO queue, each message once, and each
-- deduplication id once in its window. See lib/arriving.
--
-- KEYS[1] state    hash
-- KEYS[2] log      stream  seq -> packed message, group
-- KEYS[3] order    zset    group \0 seq
-- KEYS[4] groups   zset    group -> ms from which its head can be received
-- KEYS[5] dedup    zset    deduplication key -> seq of the first send
-- KEYS[6] delayed  zset    seq -> seq, only while the queue has a delay; for the counts
-- KEYS[7] wake     list
-- KEYS[8] relayed  hash    source -> incarnation, line, last seq taken from it
-- ARGV[1] version
-- ARGV[2] source       the topic
-- ARGV[3] incarnation  of the topic
-- ARGV[4] line         of the topic's messages to this queue
-- ARGV[5] window_ms    how long a deduplication id is remembered
-- ARGV[6] delay_ms     the queue's
-- ARGV[7..]        the topic's seq, deduplication key, group, packed, ..
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   how many were new
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/order
--@include lib/arriving

local state, log, order, groups = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local dedup, delayed, wake, relayed = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local s = call('HMGET', state, 'version', 'seq', 'sent', 'bytes', 'waiting')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local last = taken_from(relayed, ARGV[2], ARGV[3], ARGV[4])
local now, delay_ms = now_us(ARGV[#ARGV]), tonumber(ARGV[6])
local oldest = now - tonumber(ARGV[5]) * 1000
local seq, taken, bytes = math.max(now, tonumber(s[2]) + 1) - 1, 0, 0
local moment = int(math.floor(now / 1000) + delay_ms)
local places, keys_ = {}, {}
for i = 7, #ARGV - 4, 4 do
  if tonumber(ARGV[i]) > last then
    last = tonumber(ARGV[i])
    places[#places + 1], keys_[#keys_ + 1] = i, ARGV[i + 1]
  end
end
local looked = #places
if looked == 0 then return 0 end
-- A command for each kind, not for each message.
local known, here = call('ZMSCORE', dedup, unpack(keys_)), {}
local remember, members, heads, late = {}, {}, {}, {}
for n = 1, looked do
  local i, key = places[n], keys_[n]
  if not here[key] and not (known[n] and tonumber(known[n]) > oldest) then
    seq, taken, bytes = seq + 1, taken + 1, bytes + #ARGV[i + 3]
    local id, group, at = int(seq), ARGV[i + 2], 2 * taken
    call('XADD', log, id, 'm', ARGV[i + 3], 'g', group)
    here[key] = true
    remember[at - 1], remember[at] = id, key
    members[at - 1], members[at] = '0', member(group, seq)
    heads[at - 1], heads[at] = moment, group
    late[at - 1], late[at] = id, id
  end
end
call('HSET', relayed, ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. int(last))
if taken > 0 then
  call('ZADD', dedup, unpack(remember))
  call('ZADD', order, unpack(members))
  call('ZADD', groups, 'NX', unpack(heads))
  if delay_ms > 0 then call('ZADD', delayed, unpack(late)) end
  call('HSET', state, 'seq', int(seq), 'sent', int(tonumber(s[3]) + taken),
    'bytes', int(tonumber(s[4]) + bytes))
  wake_one(wake, s[5], now)
end
-- Forget at least as fast as we learn, and never all at once.
local old = math.min(call('ZCOUNT', dedup, '-inf', int(oldest)), 2 * looked + 20)
if old > 0 then call('ZREMRANGEBYRANK', dedup, 0, old - 1) end
return taken
