#!lua
-- outlets.put: make, change or remove what a catalog has under a name, if it is still as the caller
-- knows it.
--
-- KEYS[1] documents  hash  name -> document
-- KEYS[2] names      zset  name, score 0
-- KEYS[3] ids        hash  id -> name
-- ARGV[1] name
-- ARGV[2] id
-- ARGV[3] before     the document that the caller knows; '' where there should be none
-- ARGV[4] after      the new one; '' removes it
--
-- Reply   the document that the name has now: done if it is the new one
-- Errors  none
-- Cost    O(log N)

local call = redis.call
local documents, names, ids = KEYS[1], KEYS[2], KEYS[3]
local name, id, before, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local stored = call('HGET', documents, name) or ''
if stored ~= before then return stored end
if after == '' then
  call('HDEL', documents, name)
  call('HDEL', ids, id)
  call('ZREM', names, name)
else
  call('HSET', documents, name, after)
  call('HSET', ids, id, name)
  call('ZADD', names, 0, name)
end
return after
