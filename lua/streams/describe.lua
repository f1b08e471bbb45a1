#!lua flags=no-writes
-- streams.describe: what a client must know of a stream before it can use it.
--
-- KEYS[1] state      hash
-- KEYS[2] config     hash
-- KEYS[3] shards     hash
-- KEYS[4] consumers  hash
-- KEYS[5] queues     set
-- KEYS[6] channels   set
--
-- Reply   state as field, value, ..; config; shards as number, row, ..; how many consumers, queues, channels
-- Errors  RMQ_STREAM_DOES_NOT_EXIST
-- Cost    O(attributes + shards)

local state = redis.call('HGETALL', KEYS[1])
if #state == 0 then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end
return { state, redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]),
  redis.call('HLEN', KEYS[4]), redis.call('SCARD', KEYS[5]), redis.call('SCARD', KEYS[6]) }
