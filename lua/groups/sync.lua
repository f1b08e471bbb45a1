#!lua
-- groups.sync: give leases to shards that the group does not know yet, lowest number first, so that
-- a parent that has no lease is always one that is done with.
--
-- KEYS[1] state   hash
-- KEYS[2] leases  hash  shard -> row
-- ARGV[1] incarnation  of the stream
-- ARGV[2] first   what the caller believes to be the first shard without a lease
-- ARGV[3] past    the first that it does not speak of
-- ARGV[4..]       number, position to read from, parents (a,b or -), ..: shards from first to past
--                 that get a lease; the others are done with
--
-- Reply   the first shard without a lease now
-- Errors  RMQ_GROUP_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(shards given), 500 at most
--@include lib/base
--@include lib/group

local state, leases = KEYS[1], KEYS[2]
local group = call('HMGET', state, 'incarnation', 'next_shard')
if not group[1] then return redis.error_reply('RMQ_GROUP_DOES_NOT_EXIST') end
if group[1] ~= ARGV[1] then return redis.error_reply('RMQ_STALE_CONFIG') end
-- Another worker was quicker, or the group was reset.
if group[2] ~= ARGV[2] then return group[2] end
for i = 4, #ARGV, 3 do
  call('HSET', leases, ARGV[i], pack_row({
    owner = '-', token = 0, position = ARGV[i + 1], sub = '0', switches = 0, since = 0, want = '-',
    parents = ARGV[i + 2],
  }))
end
call('HSET', state, 'next_shard', ARGV[3])
return ARGV[3]
