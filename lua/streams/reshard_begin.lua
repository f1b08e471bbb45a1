#!lua
-- streams.reshard_begin: write down splits and merges that are to be. What follows (close, open,
-- reshard_commit) anybody can do who reads this.
--
-- KEYS[1] state     hash
-- ARGV[1] version   of the description that it was decided on
-- ARGV[2] id        of this reshard; said again, it changes nothing
-- ARGV[3] fence     the number of the lease under which it was decided; '' for one that needs none
-- ARGV[4] children  how many shards it makes
-- ARGV[5] changes   packed
--
-- Reply   the number of its first child
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_STREAM_IN_USE
-- Cost    O(changes)
--@include lib/base
--@include lib/stream

local state = KEYS[1]
local s = call('HMGET', state, 'version', 'status', 'next', 'reshard_id', 'reshard_first', 'fence')
if s[1] and s[4] == ARGV[2] then return tonumber(s[5]) end
local refusal = refuse_stream(s[1], ARGV[1])
if refusal then return refusal end
if s[2] ~= 'ACTIVE' then return redis.error_reply('RMQ_STREAM_IN_USE it is ' .. s[2]) end
if ARGV[3] ~= '' and s[6] ~= ARGV[3] then return redis.error_reply('RMQ_STALE_CONFIG') end
-- The version counts up, so who decides on it finds this one first, and ends it.
call('HSET', state, 'version', next_version(s[1]), 'reshard', ARGV[2] .. ' ' .. s[3] .. ' ' .. ARGV[5],
  'reshard_id', ARGV[2], 'reshard_first', s[3], 'next', int(tonumber(s[3]) + tonumber(ARGV[4])))
return tonumber(s[3])
