#!lua flags=allow-oom
-- queues.receive_fifo: lease messages of the groups that are free, the longest waiting group first,
-- of each as many in a row as fit. A received group is locked until its last message is gone or due.
--
-- KEYS[1] state      hash
-- KEYS[2] log        stream  seq -> packed message, group
-- KEYS[3] inflight   zset    seq -> lease
-- KEYS[4] order      zset    group \0 seq
-- KEYS[5] groups     zset    group -> ms from which its head can be received
-- KEYS[6] first      hash    seq -> when it was first received (ms)
-- KEYS[7] wake       list
-- KEYS[8] outbox     stream  s seq, t target queue, k kind
-- KEYS[9] attempts        hash  attempt id -> what it was given
-- KEYS[10] attempt_times  zset  attempt id -> when (ms)
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
-- ARGV[10] delay_ms  the queue's; counted for every message, also those already here
-- ARGV[11] attempt   receive request attempt id; '' for none
-- ARGV[12] attempt_ms  how long an attempt is remembered
-- ARGV[13] default_ms   the queue's visibility timeout; see queues.change_visibility
-- ARGV[14] sweep    1 to be told that a sweep is due instead of receiving, 0 to receive anyway
-- ARGV[15] now_ms    '' in production; the clock of a test
--
-- Reply   see lib/receive
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(max * log N)
--@include lib/base
--@include lib/lease
--@include lib/order
--@include lib/fifo
--@include lib/receive

local state, log, inflight, order, groups = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local first, wake, outbox, attempts, attempt_times = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local trials = KEYS[11]
local want, visibility_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local in_flight_limit, wait_ms, delay_ms = tonumber(ARGV[5]), tonumber(ARGV[9]), tonumber(ARGV[10])
local attempt = ARGV[11]
local s = call('HMGET', state, 'version', 'received', 'waiting', 'sweep', 'timer',
  'keep_until', 'expired')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[15])
local now_ms = math.floor(now / 1000)
if ARGV[14] == '1' and now >= tonumber(s[4]) then return { int(now_ms), 0, SWEEP, 0 } end
local horizon = now - tonumber(ARGV[4]) * 1000
local max_receive_count = tonumber(ARGV[6])
if ARGV[8] == 'd' and now_ms < tonumber(s[6]) then max_receive_count = nil end

local due, default_ms = now_ms + visibility_ms, tonumber(ARGV[13])
local reply = { int(now_ms), -1, 0, 0 }
local now_text, fresh_lease = int(now_ms), pack_lease(due, 1)
local function give(seq, count, first_ms, received_ms, entry)
  local n, fields = #reply, entry[2]
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = seq, count, first_ms, fields[2]
  reply[n + 5], reply[n + 6] = fields[4], received_ms
end

-- The same attempt again: the same messages and handles, if nobody has touched them since.
if attempt ~= '' then
  local at = call('ZSCORE', attempt_times, attempt)
  if at and now_ms - tonumber(at) < tonumber(ARGV[12]) then
    local held, whole = {}, true
    for seq, lease in string.gmatch(call('HGET', attempts, attempt) or '', '(%d+)=(%d+)') do
      local score = call('ZSCORE', inflight, seq)
      local entry = call('XRANGE', log, seq, seq)[1]
      whole = whole and entry and score and int(tonumber(score)) == lease and lease_due(score) > now_ms
      held[#held + 1] = { seq, lease, entry }
    end
    if whole and #held > 0 then
      local kept, locked = {}, {}
      for i = 1, #held do
        local seq, count, entry = held[i][1], lease_count(held[i][2]), held[i][3]
        local lease = pack_lease(due, count)
        if count == 1 then call('HSETNX', first, seq, int(tonumber(at))) end
        call('ZADD', inflight, lease, seq)
        call('ZADD', groups, int(due), entry[2][4])
        kept[i] = seq .. '=' .. lease
        give(seq, count, call('HGET', first, seq) or 0, at, entry)
      end
      call('HSET', attempts, attempt, table.concat(kept, ' '))
      return reply
    end
  end
end

if in_flight_limit and call('ZCARD', inflight) + want > in_flight_limit then
  local free = in_flight_limit - call('ZCOUNT', inflight, '(' .. due_score(now_ms), '+inf')
  if free <= 0 then return { int(now_ms), -1, OVER_LIMIT, 0 } end
  want = math.min(want, free)
end

local got, moved, left, kept = 0, 0, false, {}
local leases, firsts, gone, gone_members, locks = {}, {}, {}, {}, {}
local free = call('ZRANGEBYSCORE', groups, '-inf', int(now_ms), 'LIMIT', 0, want + 1)
for g = 1, #free do
  local group = free[g]
  if got + moved >= want or moved >= 10 then left = true break end
  local members = members_of(order, group, want - got - moved)
  local seqs, counts, lock = {}, {}, nil
  for i = 1, #members do seqs[i] = member_seq(members[i]) end
  if #seqs > 0 then counts = call('ZMSCORE', inflight, unpack(seqs)) end
  for i = 1, #seqs do
    local seq, count, at = seqs[i], counts[i] and lease_count(counts[i]) or 0, 0
    local ripe = count > 0 and 0 or ripe_ms(seq, delay_ms)
    local entry = call('XRANGE', log, seq, seq)[1]
    if not entry or tonumber(seq) <= horizon then
      gone[#gone + 1] = seq
      gone_members[#gone_members + 1] = members[i]
      lock = lock or now_ms
    elseif ripe > now_ms then
      -- Order holds over delays: nothing behind this one is looked at.
      lock = lock or ripe
      break
    elseif max_receive_count and is_over(trials, seq, count, max_receive_count) then
      if count > 0 then keep_first(first, seq, counts[i], default_ms) end
      call('XADD', outbox, '*', 's', seq, 't', ARGV[7], 'k', ARGV[8])
      leases[#leases + 1] = pack_lease(FAR, count)
      leases[#leases + 1] = seq
      moved = moved + 1
      lock = FAR
    elseif lock == FAR then
      -- Its predecessor is on its way out and may yet come back; the group waits for that.
      break
    else
      local lease = count == 0 and fresh_lease or pack_lease(due, count + 1)
      if count > 0 then at = first_receive(first, seq, counts[i], default_ms) end
      if count == 1 or (count == 0 and visibility_ms ~= default_ms) then
        firsts[#firsts + 1] = seq
        firsts[#firsts + 1] = count == 0 and now_text or at
      end
      give(seq, math.min(count + 1, 2047), at, 0, entry)
      leases[#leases + 1] = lease
      leases[#leases + 1] = seq
      kept[#kept + 1] = seq .. '=' .. lease
      got = got + 1
      lock = due
    end
  end
  if #seqs == 0 then call('ZREM', groups, group)
  else
    locks[#locks + 1] = int(lock)
    locks[#locks + 1] = group
  end
end

if #gone > 0 then
  call('ZREM', inflight, unpack(gone))
  call('ZREM', order, unpack(gone_members))
  call('HDEL', first, unpack(gone))
  call('HSET', state, 'expired', int(tonumber(s[7]) + call('XDEL', log, unpack(gone))))
end
if #locks > 0 then call('ZADD', groups, unpack(locks)) end
if #leases > 0 then call('ZADD', inflight, unpack(leases)) end
if #firsts > 0 then call('HSET', first, unpack(firsts)) end
if moved > 0 then reply[3], reply[4] = reply[3] + MOVED, moved end
if got + moved > 0 then
  call('HSET', state, 'received', int(tonumber(s[2]) + got))
  if attempt ~= '' and got > 0 then
    call('HSET', attempts, attempt, table.concat(kept, ' '))
    call('ZADD', attempt_times, int(now_ms), attempt)
  end
  if left or visibility_ms < default_ms then wake_one(wake, s[3], now) end
  return reply
end

-- Expired heads were cleared away: what stands behind them may be free.
if #gone > 0 then reply[3] = reply[3] + MORE end
if wait_ms > 0 then
  local soonest = tonumber(call('ZRANGE', groups, 0, 0, 'WITHSCORES')[2] or -1)
  if soonest >= FAR then soonest = -1 end
  local sleep_ms, timer = sleep_until(soonest, tonumber(s[5]), now_ms, wait_ms)
  reply[2] = int(sleep_ms)
  call('DEL', wake)
  call('HSET', state, 'timer', int(timer),
    'waiting', int(math.max(tonumber(s[3]), now + wait_ms * 1000)))
end
return reply
