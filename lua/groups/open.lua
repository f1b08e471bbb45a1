#!lua
-- groups.open: make a group where there is none, and say where it is to start.
--
-- KEYS[1] state    hash
-- KEYS[2] leases   hash  shard -> row
-- KEYS[3] workers  hash
-- ARGV[1] incarnation  of the stream; the group of one that was deleted begins anew
-- ARGV[2] start    LATEST, TRIM_HORIZON or AT_TIMESTAMP; counts only for a new group, as the next
-- ARGV[3] at       position from which AT_TIMESTAMP reads
-- ARGV[4] initial  shards with a lower number are there now: start is for them
-- ARGV[5] now_ms   '' in production; the clock of a test
--
-- Reply   start, at, initial, number of the first shard that has no lease yet
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state, leases, workers = KEYS[1], KEYS[2], KEYS[3]
if call('HGET', state, 'incarnation') ~= ARGV[1] then
  call('DEL', leases, workers)
  -- Tokens go on from the time: who held a lease of a group that was deleted, or of the stream before,
  -- is never taken for an owner in this one.
  local now_ms = int(math.floor(now_us(ARGV[5]) / 1000))
  call('HSET', state, 'incarnation', ARGV[1], 'start', ARGV[2], 'at', ARGV[3], 'initial', ARGV[4],
    'next_shard', '0', 'created', now_ms)
  if tonumber(call('HGET', state, 'token') or 0) < tonumber(now_ms) then
    call('HSET', state, 'token', now_ms)
  end
end
return call('HMGET', state, 'start', 'at', 'initial', 'next_shard')
