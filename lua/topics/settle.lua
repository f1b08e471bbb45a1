#!lua flags=allow-oom
-- topics.settle: take batches out of the outbox that all have who should, note who still waits for
-- the others, and count.
--
-- KEYS[1] outbox   stream  first seq -> batch and its lane
-- KEYS[2] partial  hash    first seq -> ids of the subscriptions that still wait for the batch
-- KEYS[3] stats    hash    per subscription
-- KEYS[4] state    hash
-- ARGV[1] n        how many batches are done
-- ARGV[2] m        how many are not
-- ARGV[3..]        n seqs, m times a seq and ids, then field and by how much it grows, ..
--
-- Reply   1
-- Errors  none
-- Cost    O(batches + subscriptions)

local call = redis.call
local outbox, partial, stats = KEYS[1], KEYS[2], KEYS[3]
-- A topic that was deleted meanwhile keeps nothing.
if call('EXISTS', KEYS[4]) == 0 then return 1 end
local n = tonumber(ARGV[1])
local last = 2 + n + 2 * tonumber(ARGV[2])
if n > 0 then
  call('XDEL', outbox, unpack(ARGV, 3, 2 + n))
  if call('EXISTS', partial) == 1 then call('HDEL', partial, unpack(ARGV, 3, 2 + n)) end
end
for i = 3 + n, last, 2 do
  -- Another finisher may have done it since.
  if #call('XRANGE', outbox, ARGV[i], ARGV[i]) > 0 then call('HSET', partial, ARGV[i], ARGV[i + 1]) end
end
for i = last + 1, #ARGV, 2 do call('HINCRBY', stats, ARGV[i], ARGV[i + 1]) end
return 1
