#!lua flags=allow-oom
-- streams.reshard_commit: parents are closed and children are open: put them into the map.
--
-- KEYS[1] state   hash
-- KEYS[2] shards  hash   number -> packed row
-- ARGV[1] id      of the reshard
-- ARGV[2..]       number, row, .. of every parent and child
--
-- Reply   1; 0 when somebody else has done it
-- Errors  RMQ_STREAM_DOES_NOT_EXIST
-- Cost    O(changes)
--@include lib/base
--@include lib/stream

local state, shards = KEYS[1], KEYS[2]
local s = call('HMGET', state, 'version', 'reshard', 'reshard_id')
if not s[1] then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end
if not s[2] or s[3] ~= ARGV[1] then return 0 end
for i = 2, #ARGV - 1, 2 do call('HSET', shards, ARGV[i], ARGV[i + 1]) end
call('HDEL', state, 'reshard')
call('HSET', state, 'version', next_version(s[1]))
return 1
