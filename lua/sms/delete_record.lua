#!lua flags=allow-oom
-- sms.delete_record: remove a record.
--
-- KEYS[1] records  hash  name -> record
-- KEYS[2] names    zset  name, score 0
-- ARGV[1] name
--
-- Reply   1, or 0 when there was none
-- Errors  none
-- Cost    O(log N)

redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
