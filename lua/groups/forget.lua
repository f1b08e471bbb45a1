#!lua flags=allow-oom
-- groups.forget: remove leases of shards that were read to their end and that the stream has no more,
-- once all their children have had an owner.
--
-- KEYS[1] state   hash
-- KEYS[2] leases  hash  shard -> row
-- ARGV[1] incarnation  of the stream
-- ARGV[2..]       numbers of the shards that the stream has
--
-- Reply   how many were removed
-- Errors  RMQ_GROUP_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(leases + shards)
--@include lib/base
--@include lib/group

local state, leases = KEYS[1], KEYS[2]
local incarnation = call('HGET', state, 'incarnation')
if not incarnation then return redis.error_reply('RMQ_GROUP_DOES_NOT_EXIST') end
if incarnation ~= ARGV[1] then return redis.error_reply('RMQ_STALE_CONFIG') end

local kept, ended, count = {}, {}, 0
for i = 2, #ARGV do kept[ARGV[i]] = true end
local all = call('HGETALL', leases)
for i = 1, #all, 2 do
  local row = read_row(all[i + 1])
  if row.position == 'E' then ended[#ended + 1] = all[i] end
  if row.token == 0 then
    for parent in string.gmatch(row.parents, '%d+') do kept[parent] = true end
  end
end
for _, number in ipairs(ended) do
  if not kept[number] then count = count + call('HDEL', leases, number) end
end
return count
