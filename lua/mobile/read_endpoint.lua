#!lua flags=no-writes
-- mobile.read_endpoint: one endpoint, with some of what its platform application was told.
--
-- KEYS[1] config     hash  attribute -> text
-- KEYS[2] endpoints  hash  id -> endpoint
-- ARGV[1] id
-- ARGV[2..]          names of attributes
--
-- Reply   the endpoint ('' for none), then each attribute ('' for none)
-- Errors  none
-- Cost    O(attributes)

local call = redis.call
local config, endpoints = KEYS[1], KEYS[2]
local reply = { call('HGET', endpoints, ARGV[1]) or '' }
for i = 2, #ARGV do reply[i] = call('HGET', config, ARGV[i]) or '' end
return reply
