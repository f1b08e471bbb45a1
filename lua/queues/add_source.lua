#!lua
-- queues.add_source: note at a dead-letter queue that another queue's dead letters will come here.
--
-- KEYS[1] state    hash    of the dead-letter queue
-- KEYS[2] sources  zset    all scores 0
-- ARGV[1] version  the one under which the caller found itself allowed
-- ARGV[2] source   name
--
-- Reply   1
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(log sources)
--@include lib/base

local refusal = refuse(call('HGET', KEYS[1], 'version'), ARGV[1])
if refusal then return refusal end
call('ZADD', KEYS[2], 0, ARGV[2])
return 1
