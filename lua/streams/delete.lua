#!lua flags=allow-oom
-- streams.delete: the first and the last step of removing a stream. In between its shards go.
--
-- KEYS[1] state      hash
-- KEYS[2] consumers  hash
-- KEYS[3] queues     set
-- KEYS[4] channels   set
-- KEYS[5..]          every other key of the stream
-- ARGV[1] incarnation  the one that is meant
-- ARGV[2] enforce    1 to remove it with its registered consumers, 0 to refuse then. With queues or
--                    channels it is always refused: these are not ours to remove
-- ARGV[3] last       1 when its shards are gone
--
-- Reply   1
-- Errors  RMQ_STREAM_DOES_NOT_EXIST RMQ_STREAM_IN_USE
-- Cost    O(1): the memory is given back in the background

local state, consumers, queues, channels = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local version = redis.call('HGET', state, 'version')
-- Another incarnation of that name is another stream.
if not version or string.match(version, '^%x+') ~= ARGV[1] then
  return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST')
end
if ARGV[3] == '1' then
  redis.call('UNLINK', unpack(KEYS))
  return 1
end
-- One that is DELETING was asked for before, and nothing has been attached since.
local has_queues, has_channels = redis.call('SCARD', queues), redis.call('SCARD', channels)
if has_queues > 0 then
  return redis.error_reply('RMQ_STREAM_IN_USE it has ' .. has_queues .. ' queues; delete them first')
elseif has_channels > 0 then
  return redis.error_reply('RMQ_STREAM_IN_USE it has ' .. has_channels
    .. ' channels; delete them first')
elseif ARGV[2] == '0' and redis.call('EXISTS', consumers) == 1 then
  return redis.error_reply('RMQ_STREAM_IN_USE it has registered consumers')
end
redis.call('HSET', state, 'status', 'DELETING')
return 1
