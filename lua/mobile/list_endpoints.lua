#!lua flags=no-writes
-- mobile.list_endpoints: some endpoints of a platform application, in the order of their ids.
--
-- KEYS[1] config     hash  attribute -> text
-- KEYS[2] endpoints  hash  id -> endpoint
-- KEYS[3] ids        zset  id, score 0
-- ARGV[1] low        where to begin: '-', or '(' and the id before
-- ARGV[2] limit      1..1000
--
-- Reply   id, endpoint, ..
-- Errors  RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST
-- Cost    O(log N + limit)

local call = redis.call
local config, endpoints, ids = KEYS[1], KEYS[2], KEYS[3]
if call('EXISTS', config) == 0 then
  return redis.error_reply('RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST')
end
local found = call('ZRANGEBYLEX', ids, ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local reply = {}
if #found == 0 then return reply end
local stored = call('HMGET', endpoints, unpack(found))
for i, id in ipairs(found) do
  reply[2 * i - 1] = id
  reply[2 * i] = stored[i] or ''
end
return reply
