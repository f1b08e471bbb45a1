#!lua flags=allow-oom
-- queues.delete: remove received messages of a standard queue.
--
-- A receipt whose timeout has passed still deletes, as long as nobody received the message since.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream  seq -> packed message (and group)
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] first     hash
-- KEYS[5] moved     zset    seq -> original sent time (ms), of messages that came as dead letters
-- KEYS[6] order     zset    see lib/fair
-- KEYS[7] groups    zset
-- KEYS[8] loads     hash
-- ARGV[1] version
-- ARGV[2..]         seq, receive_count, ..
--
-- Reply   per message 1 deleted, 0 already gone or received by someone else since
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/lease
--@include lib/fair

local state, log, inflight, first, moved = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local order, groups, loads = KEYS[6], KEYS[7], KEYS[8]
local s = call('HMGET', state, 'version', 'deleted', 'accepted', 'fair_from')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local seqs, reply, ours, seen = {}, {}, {}, {}
local index = s[4] and fair_index(order, groups, loads)
for i = 1, (#ARGV - 1) / 2 do seqs[i] = ARGV[2 * i] end
local scores = call('ZMSCORE', inflight, unpack(seqs))
for i = 1, #seqs do
  local lease = scores[i]
  if lease and lease_count(lease) == tonumber(ARGV[2 * i + 1]) and not seen[seqs[i]] then
    ours[#ours + 1] = seqs[i]
    seen[seqs[i]] = true
    if index then
      local entry = call('XRANGE', log, seqs[i], seqs[i])[1]
      if entry then index.drop(entry[2][4] or '', seqs[i], lease) end
    end
    reply[i] = 1
  else
    reply[i] = 0
  end
end
if #ours == 0 then return reply end
if index then index.flush() end
call('ZREM', inflight, unpack(ours))
call('XDEL', log, unpack(ours))
-- Mostly nothing is in it, and to ask costs less than a hundred names.
if call('EXISTS', first) == 1 then call('HDEL', first, unpack(ours)) end
if s[3] then call('ZREM', moved, unpack(ours)) end
call('HSET', state, 'deleted', int(tonumber(s[2]) + #ours))
return reply
