#!lua flags=allow-oom
-- queues.delete_queue: remove a queue with all it holds.
--
-- KEYS[1] state      hash
-- KEYS[2] tombstone  string   when the queue was deleted (ms)
-- KEYS[3..]          every other key of the queue
-- ARGV[1] keep_ms    for how long the name shall not be used again; '' leaves no tombstone
-- ARGV[2] now_ms     '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST
-- Cost    O(1): the memory is given back in the background
--@include lib/base

local state, tombstone = KEYS[1], KEYS[2]
if call('EXISTS', state) == 0 then return redis.error_reply('RMQ_QUEUE_DOES_NOT_EXIST') end
call('UNLINK', state, unpack(KEYS, 3))
if ARGV[1] ~= '' then
  -- The one key with an expiry, so that nothing is left for ever of a queue that is gone. Whether
  -- it expires, is evicted or is lost: the name is free earlier, and no message knows the difference.
  call('SET', tombstone, int(math.floor(now_us(ARGV[2]) / 1000)), 'PX', ARGV[1])
end
return 1
