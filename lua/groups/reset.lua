#!lua
-- groups.reset: begin anew at another place. All leases end; their owners notice by the token.
--
-- KEYS[1] state   hash
-- KEYS[2] leases  hash  shard -> row
-- ARGV[1] incarnation  of the stream
-- ARGV[2] start    LATEST, TRIM_HORIZON or AT_TIMESTAMP
-- ARGV[3] at       position from which AT_TIMESTAMP reads
-- ARGV[4] initial  shards with a lower number are there now
--
-- Reply   1
-- Errors  RMQ_GROUP_DOES_NOT_EXIST
-- Cost    O(leases)

local state, leases = KEYS[1], KEYS[2]
if redis.call('EXISTS', state) == 0 then return redis.error_reply('RMQ_GROUP_DOES_NOT_EXIST') end
redis.call('DEL', leases)
redis.call('HSET', state, 'incarnation', ARGV[1], 'start', ARGV[2], 'at', ARGV[3], 'initial', ARGV[4],
  'next_shard', '0')
return 1
