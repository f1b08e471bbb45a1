#!lua flags=allow-oom
-- topics.delete_topic: remove a topic with its subscriptions.
--
-- KEYS[1] state   hash
-- KEYS[2] config  hash
-- KEYS[3..]       every other key of the topic
--
-- Reply   1
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST RMQ_ARCHIVE_ACTIVE
-- Cost    O(1): the memory is given back in the background

local state, config = KEYS[1], KEYS[2]
if redis.call('EXISTS', state) == 0 then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
if redis.call('HEXISTS', config, 'archive_retention') == 1 then
  return redis.error_reply('RMQ_ARCHIVE_ACTIVE')
end
redis.call('UNLINK', state, config, unpack(KEYS, 3))
return 1
