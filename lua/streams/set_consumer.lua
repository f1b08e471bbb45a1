#!lua flags=allow-oom
-- streams.set_consumer: change a registered consumer, or remove it, if it still is as it was.
--
-- KEYS[1] state        hash
-- KEYS[2] consumers    hash
-- KEYS[3] subscribers  hash   consumer/number of the shard -> who reads it
-- ARGV[1] name
-- ARGV[2] expected     what is stored
-- ARGV[3] stored       what it becomes; '' removes it
-- ARGV[4..]            with which it is removed: numbers of the shards
--
-- Reply   1
-- Errors  RMQ_CONSUMER_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(shards)

local state, consumers, subscribers, name = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local stored = redis.call('HGET', consumers, name)
if not stored then return redis.error_reply('RMQ_CONSUMER_DOES_NOT_EXIST ' .. name) end
if stored ~= ARGV[2] then return redis.error_reply('RMQ_STALE_CONFIG') end
if ARGV[3] ~= '' then
  redis.call('HSET', consumers, name, ARGV[3])
  return 1
end
redis.call('HDEL', consumers, name)
redis.call('HSET', state, 'deregistered', string.match(stored, '^(%d+)%d%d%d ') .. ' ' .. name)
for i = 4, #ARGV do redis.call('HDEL', subscribers, name .. '/' .. ARGV[i]) end
return 1
