#!lua flags=allow-oom
-- topics.settle: take batches out of the outbox that all have who should, note who still waits for
-- the others, and count.
--
-- KEYS[1] outbox   stream  first seq -> batch, its lane, how many messages it has
-- KEYS[2] partial  hash    first seq -> ids of the subscriptions that still wait for the batch
-- KEYS[3] stats    hash    per subscription
-- KEYS[4] state    hash
-- ARGV[1] n        how many batches are done
-- ARGV[2] m        how many are not
-- ARGV[3..]        n times a seq and how many messages that batch has, m times a seq and ids, then
--                  field and by how much it grows, ..
--
-- Reply   1
-- Errors  none
-- Cost    O(batches + subscriptions)

local call = redis.call
local outbox, partial, stats, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- A topic that was deleted meanwhile keeps nothing.
if call('EXISTS', state) == 0 then return 1 end
local n = tonumber(ARGV[1])
local last = 2 + 2 * (n + tonumber(ARGV[2]))
local settled, is_partial = 0, call('EXISTS', partial) == 1
for i = 3, 2 + 2 * n, 2 do
  settled = settled + call('XDEL', outbox, ARGV[i]) * tonumber(ARGV[i + 1])
  if is_partial then call('HDEL', partial, ARGV[i]) end
end
if settled > 0 then call('HINCRBY', state, 'left', -settled) end
for i = 3 + 2 * n, last, 2 do
  -- Another finisher may have done it since.
  if #call('XRANGE', outbox, ARGV[i], ARGV[i]) > 0 then call('HSET', partial, ARGV[i], ARGV[i + 1]) end
end
for i = last + 1, #ARGV, 2 do call('HINCRBY', stats, ARGV[i], ARGV[i + 1]) end
return 1
