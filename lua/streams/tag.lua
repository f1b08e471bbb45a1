#!lua
-- streams.tag: set and remove tags, within the limit.
--
-- KEYS[1] state    hash
-- KEYS[2] tags     hash
-- ARGV[1] limit    how many tags a stream may have; '' for any
-- ARGV[2] n        how many names to remove follow
-- ARGV[3..]        n names, then pairs to set
--
-- Reply   all tags as name, value, ..
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_TOO_MANY_TAGS
-- Cost    O(tags)

local state, tags = KEYS[1], KEYS[2]
if redis.call('EXISTS', state) == 0 then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end

local last = 2 + tonumber(ARGV[2])
local fresh = {}
for i = last + 1, #ARGV, 2 do
  if redis.call('HEXISTS', tags, ARGV[i]) == 0 then fresh[ARGV[i]] = true end
end
local count = redis.call('HLEN', tags)
for _ in pairs(fresh) do count = count + 1 end
if ARGV[1] ~= '' and next(fresh) and count > tonumber(ARGV[1]) then
  return redis.error_reply('RMQ_TOO_MANY_TAGS ' .. count)
end

for i = 3, last do redis.call('HDEL', tags, ARGV[i]) end
for i = last + 1, #ARGV, 2 do redis.call('HSET', tags, ARGV[i], ARGV[i + 1]) end
return redis.call('HGETALL', tags)
