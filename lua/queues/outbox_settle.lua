#!lua flags=allow-oom
-- queues.outbox_settle: end the way of messages through the outbox: they have arrived (or were
-- deleted meanwhile), or they stay here after all, at their old place.
--
-- KEYS[1] outbox    stream
-- KEYS[2] state     hash
-- KEYS[3] log       stream
-- KEYS[4] inflight  zset    seq -> lease
-- KEYS[5] first     hash
-- KEYS[6] order     zset
-- KEYS[7] groups    zset
-- KEYS[8] wake      list
-- KEYS[9] moved     zset
-- KEYS[10] loads    hash    see lib/fair; on a standard queue order and groups are as there
-- ARGV[1] delay_ms  a FIFO queue's delay; '' on a standard queue
-- ARGV[2] keep_ms   how long dead letters now stay in this queue, the target being gone; 0 for not
-- ARGV[3..]         outbox id, seq, 1 arrived or 0 stays, ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   how many left this queue
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo
--@include lib/fair

local outbox, state, log, inflight, first = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups, wake, moved, loads = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local s = call('HMGET', state, 'version', 'moved', 'waiting', 'fair_from')
if not s[1] then return redis.error_reply('RMQ_QUEUE_DOES_NOT_EXIST') end

local now = now_us(ARGV[#ARGV])
local now_ms, delay_ms, left, touched = math.floor(now / 1000), tonumber(ARGV[1]), 0, {}
local index = not delay_ms and s[4] and fair_index(order, groups, loads)
for i = 3, #ARGV - 3, 3 do
  local id, seq, arrived = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  -- Someone else may have settled it already; only one of us counts it.
  if call('XDEL', outbox, id) == 1 then
    local entry = call('XRANGE', log, seq, seq)[1]
    local lease = call('ZSCORE', inflight, seq)
    if delay_ms and entry then touched[entry[2][4]] = true end
    if arrived then
      call('ZREM', inflight, seq)
      call('HDEL', first, seq)
      call('ZREM', moved, seq)
      if delay_ms and entry then call('ZREM', order, member(entry[2][4], seq)) end
      if index and entry then index.drop(entry[2][4] or '', seq, lease) end
      left = left + call('XDEL', log, seq)
    elseif entry and lease then
      call('ZADD', inflight, pack_lease(now_ms, lease_count(lease)), seq)
    end
  end
end
for group in pairs(touched) do settle(order, groups, inflight, group, now_ms, delay_ms) end
if index then index.flush() end
call('HSET', state, 'moved', int(tonumber(s[2]) + left))
if tonumber(ARGV[2]) > 0 then
  call('HSET', state, 'keep_until', int(now_ms + tonumber(ARGV[2])))
end
wake_one(wake, s[3], now)
return left
