#!lua
-- topics.record: keep what a development sender was given, the newest first, and only so many.
--
-- KEYS[1] recorded  list  records
-- ARGV[1] record
-- ARGV[2] most
--
-- Reply   1
-- Errors  none
-- Cost    O(1)

redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[2]) - 1)
return 1
