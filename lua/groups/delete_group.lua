#!lua flags=allow-oom
-- groups.delete_group: remove a group and all that it knows.
--
-- KEYS[1] state    hash
-- KEYS[2] leases   hash
-- KEYS[3] workers  hash  worker -> when its heartbeat ends (ms), how many shards it takes at most
-- ARGV[1] force    1 also while workers are at work
-- ARGV[2] now_ms   '' in production; the clock of a test
--
-- Reply   1, or 0 when there was none
-- Errors  RMQ_GROUP_IN_USE
-- Cost    O(leases + workers)
--@include lib/base

local state, leases, workers = KEYS[1], KEYS[2], KEYS[3]
local now_ms, alive = math.floor(now_us(ARGV[2]) / 1000), 0
for _, row in ipairs(call('HVALS', workers)) do
  if tonumber(string.match(row, '^%d+')) > now_ms then alive = alive + 1 end
end
if alive > 0 and ARGV[1] ~= '1' then
  return redis.error_reply('RMQ_GROUP_IN_USE ' .. alive)
end
local there = call('EXISTS', state)
call('UNLINK', state, leases, workers)
return there
