#!lua
-- queues.send: append messages to a standard queue, all of them or none.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message (and group)
-- KEYS[3] delayed   zset    seq -> due_ms
-- KEYS[4] wake      list    one token for a waiting consumer
-- KEYS[5] lanes     zset    lane -> when it was first used; for the sweep
-- KEYS[6] order     zset    see lib/fair
-- KEYS[7] groups    zset
-- KEYS[8] loads     hash
-- ARGV[1] version
-- ARGV[2] lane      one caller's unbroken line of sends; it has one call under way at a time
-- ARGV[3] seen      the first seq of this lane's last call that was answered; 0 for none
-- ARGV[4..]         packed, delay_ms (a message's group behind it: '0 tenant-7'), ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   first seq (the others follow it one by one), 1 when a sweep is due
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages); with groups O(messages * log N)
--@include lib/base
--@include lib/fair

local state, log, delayed, wake, lanes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups, loads = KEYS[6], KEYS[7], KEYS[8]
local lane = 'lane:' .. ARGV[2]
local s = call('HMGET', state, 'version', 'seq', 'sent', 'bytes', 'waiting', 'sweep', lane,
  'fair_from')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

-- The answer to this very call was lost on the way: it has been done already.
if s[7] and tonumber(s[7]) > tonumber(ARGV[3]) then return { s[7], 0 } end

local now = now_us(ARGV[#ARGV])
local first = math.max(now, tonumber(s[2]) + 1)
local seq, bytes, due, last_delayed = first - 1, 0, {}, nil
-- From the first message with a group on, a queue keeps all that it is sent in the index.
local index, fair_from = s[8] and fair_index(order, groups, loads), nil
if index and index.over(state, log) then index = nil end
for i = 4, #ARGV - 2, 2 do
  seq = seq + 1
  local id, delay_ms, group = int(seq), ARGV[i + 1], ''
  if delay_ms ~= '0' then delay_ms, group = string.match(delay_ms, '^(%d+) ?(.*)$') end
  if group == '' then call('XADD', log, id, 'm', ARGV[i])
  else
    call('XADD', log, id, 'm', ARGV[i], 'g', group)
    if not index then index, fair_from = fair_index(order, groups, loads), id end
  end
  bytes = bytes + #ARGV[i]
  if delay_ms ~= '0' then
    due[#due + 1] = int(math.floor(now / 1000) + tonumber(delay_ms))
    due[#due + 1] = id
    last_delayed = id
  elseif index then index.join(group, seq) end
end
if index then index.flush() end
if fair_from then call('HSET', state, 'fair_from', fair_from) end
if last_delayed then
  call('ZADD', delayed, unpack(due))
  call('HSET', state, 'delayed_to', last_delayed)
end
if not s[7] then call('ZADD', lanes, int(now), ARGV[2]) end
call('HSET', state, 'seq', int(seq), 'sent', int(tonumber(s[3]) + seq - first + 1),
  'bytes', int(tonumber(s[4]) + bytes), lane, int(first))
wake_one(wake, s[5], now)
return { int(first), now >= tonumber(s[6]) and 1 or 0 }
