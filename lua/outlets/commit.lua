#!lua
-- outlets.commit: note how far a queue was fed, if the caller still is the one who feeds it.
--
-- KEYS[1] feed      hash  owner, until (ms), shard -> position
-- ARGV[1] owner
-- ARGV[2] lease_ms  for how long it goes on; 0 gives it up
-- ARGV[3..]         shard, position, ..
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   1, or 0 where somebody else is it by now
-- Errors  none
-- Cost    O(shards)
--@include lib/base

local feed = KEYS[1]
local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
if call('HGET', feed, 'owner') ~= ARGV[1] then return 0 end
call('HSET', feed, 'until', int(now_ms + tonumber(ARGV[2])), unpack(ARGV, 3, #ARGV - 1))
return 1
