#!lua flags=allow-oom
-- queues.sweep: forget what is over: expired messages, idle lanes, old attempts and deduplication
-- ids. Every send and receive looks whether a sweep is due; none does more than one step of it.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset
-- KEYS[4] delayed   zset
-- KEYS[5] first     hash
-- KEYS[6] order     zset
-- KEYS[7] groups    zset
-- KEYS[8] dedup     zset
-- KEYS[9] moved     zset    seq -> original sent time (ms)
-- KEYS[10] lanes    zset    lane -> when it was last found in use (us)
-- KEYS[11] attempts hash
-- KEYS[12] attempt_times  zset
-- KEYS[13] loads    hash    see lib/fair; on a standard queue order and groups are as there
-- ARGV[1] version
-- ARGV[2] retention_ms
-- ARGV[3] window_ms deduplication window
-- ARGV[4] delay_ms  a FIFO queue's delay; '' on a standard queue
-- ARGV[5] attempt_ms  how long an attempt is remembered
-- ARGV[6] limit     how many messages at most, 1..1000
-- ARGV[7] now_ms    '' in production; the clock of a test
--
-- Reply   how many messages expired, 1 when there is more to do
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(limit * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo
--@include lib/fair

local state, log, inflight, delayed, first = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups, dedup, moved, lanes = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local attempts, attempt_times, loads = KEYS[11], KEYS[12], KEYS[13]
local SWEEP_US, LANE_US = 60 * 1000000, 3600 * 1000000
local s = call('HMGET', state, 'version', 'expired', 'fair_from')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[7])
local now_ms, retention_us = math.floor(now / 1000), tonumber(ARGV[2]) * 1000
local delay_ms, limit = tonumber(ARGV[4]), tonumber(ARGV[6])
local horizon = now - retention_us
local more = false
-- Where there are groups, each message costs more.
if s[3] then limit = math.min(limit, 25) end

-- 1. Messages sent before the horizon: the head of the log. A dead letter keeps its first sent
--    time, so it can expire before its neighbours.
local seqs, whose, places, touched = {}, {}, {}, {}
local function expire(seq, entry)
  local group = entry[2][4] or ''
  seqs[#seqs + 1], whose[#whose + 1] = seq, group
  if delay_ms then
    places[#places + 1] = member(group, seq)
    touched[group] = true
  end
end
local entries = call('XRANGE', log, '-', int(math.max(horizon, 0)), 'COUNT', limit)
for i = 1, #entries do expire(string.sub(entries[i][1], 1, -3), entries[i]) end
local early = call('ZRANGEBYSCORE', moved, '-inf', int(math.floor(horizon / 1000)), 'LIMIT', 0, limit)
for i = 1, #early do
  local entry = call('XRANGE', log, early[i], early[i])[1]
  -- An older one stands at the head of the log as well.
  if entry and tonumber(early[i]) > horizon then expire(early[i], entry) end
  call('ZREM', moved, early[i])
end
local expired = 0
if #seqs > 0 then
  if s[3] then
    local index, leases = fair_index(order, groups, loads), call('ZMSCORE', inflight, unpack(seqs))
    for i = 1, #seqs do index.drop(whose[i], seqs[i], leases[i]) end
    index.flush()
  end
  call('ZREM', inflight, unpack(seqs))
  call('ZREM', delayed, unpack(seqs))
  call('ZREM', moved, unpack(seqs))
  call('HDEL', first, unpack(seqs))
  if #places > 0 then call('ZREM', order, unpack(places)) end
  expired = call('XDEL', log, unpack(seqs))
  for group in pairs(touched) do settle(order, groups, inflight, group, now_ms, delay_ms, 4) end
  call('HSET', state, 'expired', int(tonumber(s[2]) + expired))
end
if #entries == limit or #early == limit then more = true end

-- 2. What outlived its use: delays that only serve the counts, deduplication ids, attempts.
local function forget(key, before)
  local n = math.min(call('ZCOUNT', key, '-inf', int(before)), 100)
  if n == 100 then more = true end
  if n > 0 then call('ZREMRANGEBYRANK', key, 0, n - 1) end
end
-- Not in the same step as expired messages: a step is to be short.
if delay_ms and #seqs > 0 then
  more = true
elseif delay_ms then
  forget(delayed, now - delay_ms * 1000)
  forget(dedup, now - tonumber(ARGV[3]) * 1000)
  local old = call('ZRANGEBYSCORE', attempt_times, '-inf', int(now_ms - tonumber(ARGV[5])), 'LIMIT', 0, 100)
  if #old > 0 then
    call('HDEL', attempts, unpack(old))
    call('ZREM', attempt_times, unpack(old))
  end
end

-- 3. Lanes of callers that are gone. A lane's last send tells whether it is still in use.
local idle = call('ZRANGEBYSCORE', lanes, '-inf', int(now - LANE_US), 'LIMIT', 0, 100)
for i = 1, #idle do
  local last = call('HGET', state, 'lane:' .. idle[i])
  if last and tonumber(last) > now - LANE_US then call('ZADD', lanes, last, idle[i])
  else
    call('HDEL', state, 'lane:' .. idle[i])
    call('ZREM', lanes, idle[i])
  end
end

-- 4. When to look again: at the next expiry, but not more than once a second nor less than once a
--    minute.
local nxt = now + SWEEP_US
local head = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
if head then nxt = math.min(nxt, tonumber(string.sub(head[1], 1, -3)) + retention_us) end
local earliest = call('ZRANGE', moved, 0, 0, 'WITHSCORES')[2]
if earliest then nxt = math.min(nxt, tonumber(earliest) * 1000 + retention_us) end
call('HSET', state, 'sweep', more and '0' or int(math.max(nxt, now + 1000000)))
return { expired, more and 1 or 0 }
