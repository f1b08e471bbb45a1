#!lua
-- mobile.put_endpoint: make an endpoint, or change one that is still as the caller knows it.
--
-- KEYS[1] config     hash  attribute -> text
-- KEYS[2] endpoints  hash  id -> endpoint
-- KEYS[3] ids        zset  id, score 0
-- KEYS[4] tokens     hash  digest of a token -> id
-- ARGV[1] id
-- ARGV[2] before     what the caller knows; '' makes a new one
-- ARGV[3] after
-- ARGV[4] token      digest of the token after
-- ARGV[5] old_token  digest of the token before
-- ARGV[6] event      the attribute that names the topic to be told
--
-- Reply   the id of the endpoint that has the token, what is stored of it, and that attribute.
--         Done if these are id and after. With the id and something else it was changed by
--         somebody else; with another id the token is taken
-- Errors  RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST
-- Cost    O(log N)

local call = redis.call
local config, endpoints, ids, tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, before, after, token, old_token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if call('EXISTS', config) == 0 then
  return redis.error_reply('RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST')
end
local event = call('HGET', config, ARGV[6]) or ''
local stored = call('HGET', endpoints, id) or ''
if stored ~= before then return { id, stored, event } end
local owner = call('HGET', tokens, token)
if owner and owner ~= id then return { owner, call('HGET', endpoints, owner) or '', event } end

if old_token ~= '' and old_token ~= token then call('HDEL', tokens, old_token) end
call('HSET', tokens, token, id)
call('HSET', endpoints, id, after)
if before == '' then call('ZADD', ids, 0, id) end
return { id, after, event }
