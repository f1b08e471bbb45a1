#!lua
-- queues.send_fifo: append messages to their groups, each deduplication id once in its window.
--
-- A lost answer needs no lane here: the repeat is a duplicate, and is answered like the first.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message, group
-- KEYS[3] order     zset    group \0 seq
-- KEYS[4] groups    zset    group -> ms from which its head can be received
-- KEYS[5] dedup     zset    deduplication key -> seq of the first send
-- KEYS[6] delayed   zset    seq -> seq, only while the queue has a delay; for the counts
-- KEYS[7] wake      list
-- ARGV[1] version
-- ARGV[2] window_ms how long a deduplication id is remembered
-- ARGV[3] delay_ms  the queue's
-- ARGV[4..]         deduplication key, group, packed, ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   1 when a sweep is due, then per message its seq; '=' before it for a duplicate
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/order

local state, log, order, groups = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local dedup, delayed, wake = KEYS[5], KEYS[6], KEYS[7]
local s = call('HMGET', state, 'version', 'seq', 'sent', 'bytes', 'waiting', 'sweep')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now, delay_ms = now_us(ARGV[#ARGV]), tonumber(ARGV[3])
local oldest = now - tonumber(ARGV[2]) * 1000
local seq, sent, bytes = math.max(now, tonumber(s[2]) + 1) - 1, 0, 0
local keys_ = {}
for i = 4, #ARGV - 3, 3 do keys_[#keys_ + 1] = ARGV[i] end
local known = call('ZMSCORE', dedup, unpack(keys_))

local reply = { now >= tonumber(s[6]) and 1 or 0 }
local here, remember, places, moments, late = {}, {}, {}, {}, {}
local moment = int(math.floor(now / 1000) + delay_ms)
for n = 1, #keys_ do
  local i = 1 + 3 * n
  local key, group, packed = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local first = here[key] or (known[n] and tonumber(known[n]) > oldest and int(tonumber(known[n])))
  if first then
    reply[n + 1] = '=' .. first
  else
    seq = seq + 1
    local id = int(seq)
    call('XADD', log, id, 'm', packed, 'g', group)
    here[key] = id
    remember[#remember + 1] = id
    remember[#remember + 1] = key
    places[#places + 1] = '0'
    places[#places + 1] = member(group, seq)
    moments[#moments + 1] = moment
    moments[#moments + 1] = group
    if delay_ms > 0 then late[#late + 1] = id; late[#late + 1] = id end
    sent, bytes = sent + 1, bytes + #packed
    reply[n + 1] = id
  end
end
if sent > 0 then
  call('ZADD', dedup, unpack(remember))
  call('ZADD', order, unpack(places))
  call('ZADD', groups, 'NX', unpack(moments))
  if #late > 0 then call('ZADD', delayed, unpack(late)) end
  call('HSET', state, 'seq', int(seq), 'sent', int(tonumber(s[3]) + sent),
    'bytes', int(tonumber(s[4]) + bytes))
  wake_one(wake, s[5], now)
end
-- Forget at least as fast as we learn, and never all at once.
local old = math.min(call('ZCOUNT', dedup, '-inf', int(oldest)), 2 * #keys_ + 20)
if old > 0 then call('ZREMRANGEBYRANK', dedup, 0, old - 1) end
return reply
