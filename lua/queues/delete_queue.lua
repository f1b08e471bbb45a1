#!lua flags=allow-oom
-- queues.delete_queue: remove a queue with all it holds.
--
-- KEYS[1] state    hash
-- KEYS[2..]        every other key of the queue
--
-- Reply   1
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST
-- Cost    O(1): the memory is given back in the background

if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('RMQ_QUEUE_DOES_NOT_EXIST') end
redis.call('UNLINK', unpack(KEYS))
return 1
