#!lua flags=allow-oom
-- queues.purge: drop every message, whatever its state. Order and counters go on.
--
-- KEYS[1] state     hash
-- KEYS[2] outbox    stream   emptied, never deleted: its IDs must not go backwards
-- KEYS[3..]         log, inflight, delayed, first, order, groups, dedup, moved, attempts,
--                   attempt_times
-- ARGV[1] version
--
-- Reply   how many messages were dropped
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1): the memory is given back in the background
--@include lib/base

local state = KEYS[1]
local s = call('HMGET', state, 'version', 'seq', 'deleted')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

local dropped = call('XLEN', KEYS[3])
call('HSET', state, 'cursor', s[2], 'deleted', int(tonumber(s[3]) + dropped), 'timer', '0')
if call('EXISTS', KEYS[2]) == 1 then call('XTRIM', KEYS[2], 'MAXLEN', 0) end
call('UNLINK', unpack(KEYS, 3))
return dropped
