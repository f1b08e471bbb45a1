#!lua flags=allow-oom
-- queues.receive: lease messages of a standard queue: the due ones again, the delayed ones that
-- are ripe, then new ones in the order of sending; where there are groups, by turns instead. One
-- over its limit goes to the outbox.
--
-- KEYS[1] state      hash
-- KEYS[2] log        stream  seq -> packed message (and group)
-- KEYS[3] inflight   zset    seq -> lease
-- KEYS[4] delayed    zset    seq -> due_ms
-- KEYS[5] first      hash    seq -> when it was first received (ms)
-- KEYS[6] wake       list
-- KEYS[7] outbox     stream  s seq, t target queue, k kind
-- KEYS[8] order      zset    see lib/fair
-- KEYS[9] groups     zset
-- KEYS[10] loads     hash
-- KEYS[11] trials    hash    see worker.note
-- ARGV[1] version
-- ARGV[2] max        how many messages, 1..1000
-- ARGV[3] visibility_ms
-- ARGV[4] retention_ms
-- ARGV[5] in_flight_limit    '' for none
-- ARGV[6] max_receive_count  '' for none; 0 moves whatever is visible (a redrive)
-- ARGV[7] target     where such a message goes; '' for back where it came from
-- ARGV[8] kind       d dead letter, r redrive
-- ARGV[9] wait_ms    how long the caller will wait when nothing is there; 0 for not
-- ARGV[10] default_ms   the queue's visibility timeout; see queues.change_visibility
-- ARGV[11] sweep    1 to be told that a sweep is due instead of receiving, 0 to receive anyway
-- ARGV[12] now_ms    '' in production; the clock of a test
--
-- Reply   see lib/receive
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(max * log N)
--@include lib/base
--@include lib/lease
--@include lib/receive
--@include lib/fair

local state, log, inflight, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local first, wake, outbox, order = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local groups, loads, trials = KEYS[9], KEYS[10], KEYS[11]
-- Where there are groups, each message costs more: so many at most are brought back to their groups
-- when they became visible by themselves, and so many are taken, in one script.
local JOINING, TURNS = 16, 16
local want, visibility_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local in_flight_limit, wait_ms = tonumber(ARGV[5]), tonumber(ARGV[9])
local s = call('HMGET', state, 'version', 'seq', 'cursor', 'received', 'waiting', 'sweep',
  'timer', 'delayed_to', 'keep_until', 'expired', 'fair_from')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[12])
local now_ms = math.floor(now / 1000)
if ARGV[11] == '1' and now >= tonumber(s[6]) then return { int(now_ms), 0, SWEEP, 0 } end
local horizon = now - tonumber(ARGV[4]) * 1000
-- A dead-letter queue that was found missing is left alone for a while; messages stay here then.
local max_receive_count = tonumber(ARGV[6])
if ARGV[8] == 'd' and now_ms < tonumber(s[9]) then max_receive_count = nil end

if in_flight_limit and call('ZCARD', inflight) + want > in_flight_limit then
  local free = in_flight_limit - call('ZCOUNT', inflight, '(' .. due_score(now_ms), '+inf')
  if free <= 0 then return { int(now_ms), -1, OVER_LIMIT, 0 } end
  want = math.min(want, free)
end

local due = now_ms + visibility_ms
local now_text, fresh_lease = int(now_ms), pack_lease(due, 1)
local reply = { now_text, -1, 0, 0 }
local got, moved, leases, firsts, gone = 0, 0, {}, {}, {}
local default_ms = tonumber(ARGV[10])
local index, asked = s[11] and fair_index(order, groups, loads), want
if index then want = math.min(want, TURNS) end
local function take(seq, score, entry)
  local count, at = score and lease_count(score) or 0, 0
  if count > 0 then at = first_receive(first, seq, score, default_ms) end
  if count == 1 or (count == 0 and visibility_ms ~= default_ms) then
    firsts[#firsts + 1] = seq
    firsts[#firsts + 1] = count == 0 and now_text or at
  end
  if tonumber(seq) <= horizon then
    gone[#gone + 1] = seq
  elseif max_receive_count and is_over(trials, seq, count, max_receive_count) then
    call('XADD', outbox, '*', 's', seq, 't', ARGV[7], 'k', ARGV[8])
    leases[#leases + 1] = pack_lease(FAR, count)
    leases[#leases + 1] = seq
    moved = moved + 1
  else
    local n, m = #reply, #leases
    local lease = count == 0 and fresh_lease or pack_lease(due, count + 1)
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = seq, math.min(count + 1, 2047), at, entry[2][2]
    if index then reply[n + 5] = entry[2][4] or '' end
    leases[m + 1], leases[m + 2] = lease, seq
    got = got + 1
  end
end

-- Where there are groups, what the next three steps find joins its group, and the fourth takes.
local found, joined, ended = take, 0, {}
if index then
  found = function(seq, score, entry)
    local group = entry[2][4] or ''
    if score then
      keep_first(first, seq, score, default_ms)
      index.shift(group, -1)
      ended[#ended + 1] = int(lease_count(score))
      ended[#ended + 1] = seq
    end
    index.join(group, seq)
    joined = joined + 1
  end
end

-- 1. Leases that have run out.
--    Each is looked up by itself, so fewer at a time.
local left, most = false, index and JOINING or math.min(want, 25)
local again = call('ZRANGEBYSCORE', inflight, LEASED, due_score(now_ms), 'WITHSCORES',
  'LIMIT', 0, most + 1)
for i = 1, #again, 2 do
  if i > 2 * most then left = true break end
  local entry = call('XRANGE', log, again[i], again[i])[1]
  if entry then found(again[i], again[i + 1], entry)
  else gone[#gone + 1] = again[i] end
end

-- 2. Delays that have run out.
local delayed_to, cursor, ripened = tonumber(s[8]), tonumber(s[3]), {}
if delayed_to > 0 and got + moved < want then
  most = index and JOINING or math.min(want - got - moved, 25)
  local ripe = call('ZRANGEBYSCORE', delayed, '-inf', int(now_ms), 'LIMIT', 0, most + 1)
  for i = 1, #ripe do
    if i > most then left = true break end
    local entry = call('XRANGE', log, ripe[i], ripe[i])[1]
    call('ZREM', delayed, ripe[i])
    ripened[ripe[i]] = true
    if entry then found(ripe[i], nil, entry) end
  end
end

-- 3. New messages, after the cursor. Behind the last delayed one nothing can be out of turn. Where
--    there are groups, these are what was sent before the first of them; of more than *want* none can
--    have its turn now.
local last = index and tonumber(s[11]) - 1 or tonumber(s[2])
local start, scanned, before = math.max(cursor, horizon), 0, joined
-- What `take` does with most messages: there is nothing to be decided of them. Mostly these are all.
local is_plain = not index and max_receive_count ~= 0 and visibility_ms == default_ms
local is_fresh = is_plain and got + moved == 0
if is_fresh then reply[3] = FRESH end
while got + moved + joined - before < want and start < last do
  local ask = want - got - moved - joined + before
  local entries = call('XRANGE', log, '(' .. int(start), int(last), 'COUNT', ask)
  local waits, held = {}, {}
  if start < delayed_to and #entries > 0 then
    local seqs = {}
    for i = 1, #entries do seqs[i] = string.sub(entries[i][1], 1, -3) end
    waits = call('ZMSCORE', delayed, unpack(seqs))
    held = call('ZMSCORE', inflight, unpack(seqs))
  end
  local sub, n, m = string.sub, #reply, #leases
  for i = 1, #entries do
    local entry = entries[i]
    local seq = sub(entry[1], 1, -3)
    if waits[i] or held[i] or ripened[seq] then
    elseif is_plain then
      if is_fresh then
        reply[n + 1], reply[n + 2] = seq, entry[2][2]
        n = n + 2
      else
        reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = seq, 1, 0, entry[2][2]
        n = n + 4
      end
      leases[m + 1], leases[m + 2] = fresh_lease, seq
      m, got = m + 2, got + 1
    else found(seq, nil, entry) end
  end
  if #entries > 0 then start = tonumber(sub(entries[#entries][1], 1, -3)) end
  if #entries < ask then start = last break end
  scanned = scanned + #entries
  if scanned >= 1000 then reply[3] = reply[3] + MORE break end
end

-- 4. By turns, where there are groups.
if index then
  index.flush()
  if #ended > 0 then call('ZADD', inflight, unpack(ended)) end
  local seqs, whose, expired = index.turns(want, horizon)
  local scores = #seqs > 0 and call('ZMSCORE', inflight, unpack(seqs))
  for i = 1, #seqs do
    local entry = call('XRANGE', log, seqs[i], seqs[i])[1]
    if entry then take(seqs[i], scores[i], entry)
    else
      gone[#gone + 1] = seqs[i]
      index.shift(whose[i], -1)
    end
  end
  index.flush()
  for i = 1, #expired do gone[#gone + 1] = expired[i] end
  reply[3] = GROUPED
  left = left or call('EXISTS', groups) == 1
  if left and got + moved == want and want < asked then reply[3] = reply[3] + MORE end
end

if #firsts > 0 then call('HSET', first, unpack(firsts)) end
if #gone > 0 then
  call('ZREM', inflight, unpack(gone))
  call('HDEL', first, unpack(gone))
  call('HSET', state, 'expired', int(tonumber(s[10]) + call('XDEL', log, unpack(gone))))
end
if #leases > 0 then call('ZADD', inflight, unpack(leases)) end
if moved > 0 then reply[3], reply[4] = reply[3] + MOVED, moved end
if got + moved > 0 then
  call('HSET', state, 'cursor', int(start), 'received', int(tonumber(s[4]) + got))
  if left or start < last or visibility_ms < default_ms then
    wake_one(wake, s[5], now)
  end
  return reply
end

-- Nothing. A token left in the list is stale; say until when there is nothing to look for.
if start > cursor then call('HSET', state, 'cursor', int(start)) end
-- Expired messages were cleared away: what stands behind them may have its turn.
if index and #gone > 0 then reply[3] = reply[3] + MORE end
if wait_ms > 0 then
  local soonest, lease = -1, call('ZRANGE', inflight, 0, 0, 'WITHSCORES')[2]
  if lease and lease_due(lease) < FAR then soonest = lease_due(lease) end
  local ripe = delayed_to > 0 and call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  if ripe and (soonest < 0 or tonumber(ripe) < soonest) then soonest = tonumber(ripe) end
  local sleep_ms, timer = sleep_until(soonest, tonumber(s[7]), now_ms, wait_ms)
  reply[2] = int(sleep_ms)
  call('DEL', wake)
  call('HSET', state, 'timer', int(timer),
    'waiting', int(math.max(tonumber(s[5]), now + wait_ms * 1000)))
end
return reply
