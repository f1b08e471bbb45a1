#!lua
-- queues.deliver: take in what a topic has for this standard queue, each message once.
--
-- Publishers of a standard topic work on lanes, and a FIFO topic has one order: on either, seqs only
-- grow and none is left out, so whatever is not above the last one taken was taken before. See
-- lib/arriving.
--
-- KEYS[1] state    hash
-- KEYS[2] log      stream  seq -> packed message (and group)
-- KEYS[3] delayed  zset    seq -> due_ms
-- KEYS[4] wake     list
-- KEYS[5] lanes    zset    lane -> when it was first used; for the sweep
-- KEYS[6] order    zset    see lib/fair
-- KEYS[7] groups   zset
-- KEYS[8] loads    hash
-- KEYS[9] relayed  hash    source -> incarnation, line, last seq taken from it
-- ARGV[1] version
-- ARGV[2] source       the lane; the topic, where it is a FIFO topic
-- ARGV[3] incarnation  of a FIFO topic; '' for a lane
-- ARGV[4] line         of a FIFO topic's messages to this queue
-- ARGV[5] delay_ms     the queue's
-- ARGV[6] first        seq of the first message; when that is above the last one taken, all are new
-- ARGV[7] width        2; 1 where the seqs follow each other and are left out, without any group
-- ARGV[8..]        packed, the topic's seq (a message's group behind it: '1700000000000000 eu'), ..
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   how many were new
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages); with groups O(messages * log N)
--@include lib/base
--@include lib/fair
--@include lib/arriving

local state, log, delayed, wake, lanes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups, loads, relayed = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local is_lane, lane = ARGV[3] == '', 'lane:' .. ARGV[2]
local s = call('HMGET', state, 'version', 'seq', 'sent', 'bytes', 'waiting', 'fair_from', lane)
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local last, now, delay_ms = tonumber(s[7] or 0), now_us(ARGV[#ARGV]), tonumber(ARGV[5])
if not is_lane then last = taken_from(relayed, ARGV[2], ARGV[3], ARGV[4]) end
local all_new = tonumber(ARGV[6]) > last
local first = math.max(now, tonumber(s[2]) + 1)
local seq, bytes, due = first - 1, 0, {}
local moment = int(math.floor(now / 1000) + delay_ms)
local index, fair_from = s[6] and fair_index(order, groups, loads), nil
if index and index.over(state, log, s[2]) then index = nil end
local width, theirs = tonumber(ARGV[7]), tonumber(ARGV[6]) - 1
for i = 8, #ARGV - width, width do
  local group = ''
  if width == 1 then theirs = theirs + 1
  else
    local digits = ARGV[i + 1]
    local space = string.find(digits, ' ', 1, true)
    if space then digits, group = string.sub(digits, 1, space - 1), string.sub(digits, space + 1) end
    theirs = tonumber(digits)
  end
  if all_new or theirs > last then
    seq = seq + 1
    local id = int(seq)
    if group == '' then call('XADD', log, id, 'm', ARGV[i])
    else
      call('XADD', log, id, 'm', ARGV[i], 'g', group)
      if not index then index, fair_from = fair_index(order, groups, loads), id end
    end
    bytes = bytes + #ARGV[i]
    if delay_ms > 0 then
      due[#due + 1] = moment
      due[#due + 1] = id
    elseif index then index.join(group, seq) end
  end
end
local taken = seq - first + 1
if taken == 0 then return 0 end
last = theirs
if index then index.flush() end
if fair_from then call('HSET', state, 'fair_from', fair_from) end
if #due > 0 then
  call('ZADD', delayed, unpack(due))
  call('HSET', state, 'delayed_to', int(seq))
end
if is_lane then
  if not s[7] then call('ZADD', lanes, int(now), ARGV[2]) end
  call('HSET', state, lane, int(last))
else
  call('HSET', relayed, ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. int(last))
end
call('HSET', state, 'seq', int(seq), 'sent', int(tonumber(s[3]) + taken),
  'bytes', int(tonumber(s[4]) + bytes))
wake_one(wake, s[5], now)
return taken
