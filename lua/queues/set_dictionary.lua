#!lua
-- queues.set_dictionary: give a queue the dictionary that its messages are compressed by.
--
-- The queue itself is not changed by it, as far as its owner can see: modified_ms stays.
--
-- KEYS[1] state    hash
-- KEYS[2] config   hash
-- ARGV[1] version  the one that has none
-- ARGV[2] next     the version after the change
-- ARGV[3] dictionary  base64
--
-- Reply   1
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base

local state, config = KEYS[1], KEYS[2]
local refusal = refuse(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end
call('HSET', config, 'dictionary', ARGV[3])
call('HSET', state, 'version', ARGV[2])
return 1
