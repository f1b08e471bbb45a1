#!lua flags=no-writes
-- outlets.list: some documents of a catalog, in the order of their names.
--
-- KEYS[1] documents  hash  name -> document
-- KEYS[2] names      zset  name, score 0
-- ARGV[1] low        where to begin: '-', or '(' and the name before
-- ARGV[2] limit      1..1000
--
-- Reply   name, document, ..
-- Errors  none
-- Cost    O(log N + limit)

local call = redis.call
local documents, names = KEYS[1], KEYS[2]
local found = call('ZRANGEBYLEX', names, ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local reply = {}
if #found == 0 then return reply end
local stored = call('HMGET', documents, unpack(found))
for i, name in ipairs(found) do
  reply[2 * i - 1] = name
  reply[2 * i] = stored[i] or ''
end
return reply
