#!lua flags=no-writes
-- topics.outbox_read: what publishers left in the outbox of a standard topic.
--
-- KEYS[1] outbox   stream  first seq -> batch, its lane, how many messages it has
-- KEYS[2] partial  hash    first seq -> ids of the subscriptions that still wait for the batch
-- ARGV[1] after    seq behind which to begin
-- ARGV[2] age_ms   only what is older; 0 for all
-- ARGV[3] max      how many, 1..100
-- ARGV[4] now_ms   '' in production; the clock of a test
--
-- Reply   per batch its first seq, lane, number of messages, batch, ids ('' for all that match)
-- Errors  none
-- Cost    O(max)
--@include lib/base

local before = '+'
if ARGV[2] ~= '0' then before = int(math.max(now_us(ARGV[4]) - tonumber(ARGV[2]) * 1000, 0)) end
local entries = call('XRANGE', KEYS[1], '(' .. ARGV[1], before, 'COUNT', ARGV[3])
if #entries == 0 then return {} end
local seqs, reply = {}, {}
for i = 1, #entries do seqs[i] = string.sub(entries[i][1], 1, -3) end
local waiting = call('HMGET', KEYS[2], unpack(seqs))
for i = 1, #entries do
  local n, fields = #reply, entries[i][2]
  reply[n + 1], reply[n + 2], reply[n + 3] = seqs[i], fields[4], fields[6]
  reply[n + 4], reply[n + 5] = fields[2], waiting[i] or ''
end
return reply
