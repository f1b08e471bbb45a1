#!lua flags=allow-oom
-- topics.relay: a relayer's turn on a FIFO topic: note what subscriptions were given, forget what all
-- were given, and read what comes next. With nothing next it is the relayer no more.
--
-- KEYS[1] state    hash
-- KEYS[2] outbox   stream  seq -> packed message and its group
-- KEYS[3] cursors  hash    id -> seq up to which it was given everything
-- KEYS[4] stats    hash    per subscription
-- ARGV[1] relayer
-- ARGV[2] lease_ms
-- ARGV[3] keep_ms   for how long the archive keeps; '' where there is none
-- ARGV[4] max       messages for each cursor, 1..100
-- ARGV[5] n         how many subscriptions are left alone now
-- ARGV[6] m         how many were given something
-- ARGV[7..]         n ids, m times id, cursor it was given from and to, then field and by how much it
--                   grows, ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   1, or 0 when the caller is not the relayer (any more); number of the last change of a
--         subscription; then for each of up to 10 different cursors: the cursor, where it moves when
--         all was given, number of ids, ids .., number of messages, seq, packed, group, ..
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(subscriptions + 250 + max)
--@include lib/base

local state, outbox, cursors, stats = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = call('HMGET', state, 'version', 'seq', 'relayer', 'relay_until', 'number')
if not s[1] then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local now, most = now_us(ARGV[#ARGV]), tonumber(ARGV[4])
local n, m = tonumber(ARGV[5]), tonumber(ARGV[6])

-- 1. What was given was given, whoever is the relayer by now. A cursor that was set meanwhile (a
--    replay) stays.
local away = {}
for i = 7, 6 + n do away[ARGV[i]] = true end
local last = 6 + n + 3 * m
for i = 7 + n, last, 3 do
  if call('HGET', cursors, ARGV[i]) == ARGV[i + 1] then call('HSET', cursors, ARGV[i], ARGV[i + 2]) end
end
for i = last + 1, #ARGV - 2, 2 do call('HINCRBY', stats, ARGV[i], ARGV[i + 1]) end
if s[3] and s[3] ~= ARGV[1] and now < tonumber(s[4]) then return { 0, s[5] } end

-- 2. Who is where.
local all, least = call('HGETALL', cursors), tonumber(s[2])
local at, by = {}, {}
for i = 1, #all, 2 do
  local cursor = all[i + 1]
  least = math.min(least, tonumber(cursor))
  if not away[all[i]] and tonumber(cursor) < tonumber(s[2]) then
    if not by[cursor] then
      by[cursor] = {}
      at[#at + 1] = cursor
    end
    table.insert(by[cursor], all[i])
  end
end

-- 3. Forget.
local more = false
if ARGV[3] ~= '' then least = math.min(least, now - tonumber(ARGV[3]) * 1000) end
if least >= 0 then
  local old, seqs = call('XRANGE', outbox, '-', int(least), 'COUNT', 200), {}
  for i = 1, #old do seqs[i] = old[i][1] end
  if #seqs > 0 then call('XDEL', outbox, unpack(seqs)) end
  more = #seqs == 200
end

-- 4. Read on. Mostly all are at one cursor.
local reply, found, read = { more and 1 or 0, s[5] }, 0, 0
for i = 1, #at do
  if found == 10 or read >= 250 then break end
  local cursor = at[i]
  local entries = call('XRANGE', outbox, '(' .. cursor, '+', 'COUNT', most)
  local to = #entries < most and s[2] or string.sub(entries[#entries][1], 1, -3)
  if #entries == 0 then
    for _, id in ipairs(by[cursor]) do call('HSET', cursors, id, to) end
  else
    reply[1], found, read = 1, found + 1, read + #entries
    reply[#reply + 1] = cursor
    reply[#reply + 1] = to
    reply[#reply + 1] = #by[cursor]
    for _, id in ipairs(by[cursor]) do reply[#reply + 1] = id end
    reply[#reply + 1] = #entries
    for e = 1, #entries do
      local fields = entries[e][2]
      reply[#reply + 1] = string.sub(entries[e][1], 1, -3)
      reply[#reply + 1] = fields[2]
      reply[#reply + 1] = fields[4]
    end
  end
end
if reply[1] == 1 then
  call('HSET', state, 'relayer', ARGV[1], 'relay_until', int(now + tonumber(ARGV[2]) * 1000))
elseif s[3] == ARGV[1] then
  call('HDEL', state, 'relayer', 'relay_until')
end
return reply
