#!lua flags=allow-oom
-- mobile.delete_endpoint: remove an endpoint that is still as the caller knows it.
--
-- KEYS[1] config     hash  attribute -> text
-- KEYS[2] endpoints  hash  id -> endpoint
-- KEYS[3] ids        zset  id, score 0
-- KEYS[4] tokens     hash  digest of a token -> id
-- ARGV[1] id
-- ARGV[2] before     what the caller knows
-- ARGV[3] token      digest of its token
-- ARGV[4] event      the attribute that names the topic to be told
--
-- Reply   1 and that attribute; or 0 when it was changed by somebody else
-- Errors  none
-- Cost    O(log N)

local call = redis.call
local config, endpoints, ids, tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if call('HGET', endpoints, ARGV[1]) ~= ARGV[2] then return { 0, '' } end
call('HDEL', tokens, ARGV[3])
call('HDEL', endpoints, ARGV[1])
call('ZREM', ids, ARGV[1])
return { 1, call('HGET', config, ARGV[4]) or '' }
