#!lua flags=allow-oom
-- streams.forget: take shards out of the map of which every record has expired.
--
-- KEYS[1] state        hash
-- KEYS[2] shards       hash
-- KEYS[3] consumers    hash
-- KEYS[4] subscribers  hash   consumer/number of the shard -> who reads it
-- ARGV[1] incarnation
-- ARGV[2..]            numbers of shards
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST
-- Cost    O(shards * consumers)

local version = redis.call('HGET', KEYS[1], 'version')
if not version or string.match(version, '^%x+') ~= ARGV[1] then
  return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST')
end
local consumers = redis.call('HKEYS', KEYS[3])
for i = 2, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[i])
  for _, consumer in ipairs(consumers) do redis.call('HDEL', KEYS[4], consumer .. '/' .. ARGV[i]) end
end
return 1
