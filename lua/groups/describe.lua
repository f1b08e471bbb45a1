#!lua flags=no-writes
-- groups.describe: all that is known of a group.
--
-- KEYS[1] state    hash
-- KEYS[2] leases   hash  shard -> row
-- KEYS[3] workers  hash  worker -> when its heartbeat ends (ms), how many shards it takes at most
-- ARGV[1] now_ms   '' in production; the clock of a test
--
-- Reply   now (ms), state as field, value, ..; leases as number, row, ..; workers as worker, row, ..;
--         each a list
-- Errors  RMQ_GROUP_DOES_NOT_EXIST
-- Cost    O(leases + workers)
--@include lib/base

local state, leases, workers = KEYS[1], KEYS[2], KEYS[3]
local found = call('HGETALL', state)
if #found == 0 then return redis.error_reply('RMQ_GROUP_DOES_NOT_EXIST') end
local now_ms = int(math.floor(now_us(ARGV[1]) / 1000))
return { now_ms, found, call('HGETALL', leases), call('HGETALL', workers) }
