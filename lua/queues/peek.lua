#!lua flags=no-writes
-- queues.peek: look at messages in the order of sending; nothing about them changes.
--
-- KEYS[1] state     hash
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] delayed   zset
-- KEYS[5] first     hash
-- KEYS[6] moved     zset    seq -> original sent time (ms)
-- ARGV[1] version
-- ARGV[2] after     seq to start behind; 0 for the oldest
-- ARGV[3] max       1..1000
-- ARGV[4] retention_ms
-- ARGV[5] delay_ms  a FIFO queue's delay; '' on a standard queue
-- ARGV[6] default_ms   the queue's visibility timeout
-- ARGV[7] now_ms    '' in production; the clock of a test
--
-- Reply   now_ms, then per message
--         seq, receive_count, first_received_ms ('' never), due_ms (0 visible), packed, group
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(max * log N)
--@include lib/base
--@include lib/lease

local log, inflight, delayed, first, moved = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local refusal = refuse(call('HGET', KEYS[1], 'version'), ARGV[1])
if refusal then return refusal end

local now = now_us(ARGV[7])
local now_ms, delay_ms = math.floor(now / 1000), tonumber(ARGV[5])
local horizon = now - tonumber(ARGV[4]) * 1000
local start = math.max(tonumber(ARGV[2]), horizon)
local entries = call('XRANGE', log, '(' .. int(start), '+', 'COUNT', tonumber(ARGV[3]))
local reply, seqs = { int(now_ms) }, {}
if #entries == 0 then return reply end
for i = 1, #entries do seqs[i] = string.sub(entries[i][1], 1, -3) end
local leases = call('ZMSCORE', inflight, unpack(seqs))
local delays = call('ZMSCORE', delayed, unpack(seqs))
local firsts = call('HMGET', first, unpack(seqs))
local sent = call('ZMSCORE', moved, unpack(seqs))
local function show(i)
  local due, n, received = 0, #reply, firsts[i] or ''
  if leases[i] then due = lease_due(leases[i])
  elseif delay_ms then due = math.floor(tonumber(seqs[i]) / 1000) + delay_ms
  elseif delays[i] then due = tonumber(delays[i]) end
  if due <= now_ms then due = 0 end
  reply[n + 1], reply[n + 2] = seqs[i], leases[i] and lease_count(leases[i]) or 0
  if not firsts[i] and leases[i] then received = int(lease_due(leases[i]) - tonumber(ARGV[6])) end
  reply[n + 3], reply[n + 4] = received, int(due)
  reply[n + 5], reply[n + 6] = entries[i][2][2], entries[i][2][4] or ''
end
for i = 1, #entries do
  -- A dead letter expires by its first sent time.
  if not sent[i] or tonumber(sent[i]) * 1000 > horizon then show(i) end
end
return reply
