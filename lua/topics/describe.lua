#!lua flags=no-writes
-- topics.describe: what a client must know of a topic before it can use it.
--
-- KEYS[1] state   hash
-- KEYS[2] config  hash
--
-- Reply   version, then config as field, value, ..
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(attributes)

local version = redis.call('HGET', KEYS[1], 'version')
if not version then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local reply = redis.call('HGETALL', KEYS[2])
table.insert(reply, 1, version)
return reply
