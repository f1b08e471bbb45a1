#!lua flags=allow-oom
-- streams.delete: the first and the last step of removing a stream. In between its shards go.
--
-- KEYS[1] state      hash
-- KEYS[2] consumers  hash
-- KEYS[3..]          every other key of the stream
-- ARGV[1] incarnation  the one that is meant
-- ARGV[2] enforce    1 to remove it with its registered consumers, 0 to refuse then
-- ARGV[3] last       1 when its shards are gone
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STREAM_IN_USE
-- Cost    O(1): the memory is given back in the background

local state, consumers = KEYS[1], KEYS[2]
local version = redis.call('HGET', state, 'version')
-- Another incarnation of that name is another stream.
if not version or string.match(version, '^%x+') ~= ARGV[1] then
  return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST')
end
if ARGV[3] == '1' then
  redis.call('UNLINK', state, consumers, unpack(KEYS, 3))
elseif ARGV[2] == '0' and redis.call('EXISTS', consumers) == 1 then
  return redis.error_reply('RMQ_STREAM_IN_USE it has registered consumers')
else
  redis.call('HSET', state, 'status', 'DELETING')
end
return 1
