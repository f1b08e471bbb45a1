#!lua
-- queues.accept: take in messages that another queue's outbox sent here, each once.
--
-- Outbox ids only grow, and every relayer starts at the outbox's head: whatever is not above the
-- last id taken from that source has been taken before.
--
-- KEYS[1] state    hash
-- KEYS[2] log      stream  seq -> packed message (and group)
-- KEYS[3] relayed  hash    source -> incarnation and last outbox id taken from it
-- KEYS[4] wake     list
-- KEYS[5] moved    zset    seq -> original sent time (ms)
-- KEYS[6] order    zset
-- KEYS[7] groups   zset
-- KEYS[8] delayed  zset
-- KEYS[9] loads    hash    see lib/fair; on a standard queue order and groups are as there
-- ARGV[1] version
-- ARGV[2] source       name of the sending queue
-- ARGV[3] incarnation  of the sending queue; a queue made anew begins anew
-- ARGV[4] delay_ms     a FIFO queue's delay; '' on a standard queue
-- ARGV[5..]        outbox id, packed, original sent time (ms; 0 for now), group, ..
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   how many were new
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/order
--@include lib/fair

local state, log, relayed, wake, moved = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups, delayed, loads = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local s = call('HMGET', state, 'version', 'seq', 'sent', 'bytes', 'waiting', 'fair_from')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local function parts(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local last_ms, last_n = 0, 0
local known = call('HGET', relayed, ARGV[2])
if known and string.sub(known, 1, #ARGV[3] + 1) == ARGV[3] .. ' ' then
  last_ms, last_n = parts(string.sub(known, #ARGV[3] + 2))
end

local now, delay_ms = now_us(ARGV[#ARGV]), tonumber(ARGV[4])
local now_ms = math.floor(now / 1000)
local seq, taken, bytes, last = math.max(now, tonumber(s[2]) + 1) - 1, 0, 0, nil
local index, fair_from = s[6] and fair_index(order, groups, loads), nil
if index and index.over(state, log) then index = nil end
for i = 5, #ARGV - 4, 4 do
  local id, packed, sent_ms, group = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local ms, n = parts(id)
  if ms > last_ms or (ms == last_ms and n > last_n) then
    seq = seq + 1
    taken, bytes, last, last_ms, last_n = taken + 1, bytes + #packed, id, ms, n
    if delay_ms then
      call('XADD', log, int(seq), 'm', packed, 'g', group)
      call('ZADD', order, '0', member(group, seq))
      call('ZADD', groups, 'NX', int(now_ms + delay_ms), group)
      if delay_ms > 0 then call('ZADD', delayed, int(seq), int(seq)) end
    else
      if group == '' then call('XADD', log, int(seq), 'm', packed)
      else
        call('XADD', log, int(seq), 'm', packed, 'g', group)
        if not index then index, fair_from = fair_index(order, groups, loads), int(seq) end
      end
      if index then index.join(group, seq) end
      -- The log expires by seq, so only an older sent time must be kept beside it.
      if sent_ms > 0 then call('ZADD', moved, int(sent_ms), int(seq)) end
    end
  end
end
if taken == 0 then return 0 end
if index then index.flush() end
if fair_from then call('HSET', state, 'fair_from', fair_from) end
call('HSET', relayed, ARGV[2], ARGV[3] .. ' ' .. last)
call('HSET', state, 'seq', int(seq), 'sent', int(tonumber(s[3]) + taken),
  'bytes', int(tonumber(s[4]) + bytes), 'accepted', '1', 'sweep', '0')
wake_one(wake, s[5], now)
return taken
