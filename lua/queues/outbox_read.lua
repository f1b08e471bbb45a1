#!lua flags=no-writes
-- queues.outbox_read: the messages on their way to another queue, oldest first.
--
-- A message stays in the log, leased for ever, until the other side has it: the outbox holds its
-- seq alone, and putting it back is dropping that.
--
-- KEYS[1] outbox    stream  s seq, t target queue, k kind, x the story of its failure, if one is told
-- KEYS[2] log       stream
-- KEYS[3] inflight  zset    seq -> lease
-- KEYS[4] first     hash
-- ARGV[1] max       1..1000
--
-- Reply   per message outbox id, seq, target, kind, receive_count, first_received_ms (0 never),
--         packed ('' when it was deleted or purged meanwhile), group, failure ('' for none)
-- Errors  none
-- Cost    O(max * log N)
--@include lib/base
--@include lib/lease

local outbox, log, inflight, first = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local reply = {}
local entries = call('XRANGE', outbox, '-', '+', 'COUNT', tonumber(ARGV[1]))
for i = 1, #entries do
  local fields, n = entries[i][2], #reply
  local entry = call('XRANGE', log, fields[2], fields[2])[1]
  local lease = call('ZSCORE', inflight, fields[2])
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = entries[i][1], fields[2], fields[4], fields[6]
  reply[n + 5] = lease and lease_count(lease) or 0
  reply[n + 6] = call('HGET', first, fields[2]) or '0'
  reply[n + 7], reply[n + 8] = entry and entry[2][2] or '', entry and entry[2][4] or ''
  reply[n + 9] = fields[8] or ''
end
return reply
