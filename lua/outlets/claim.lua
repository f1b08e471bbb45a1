#!lua
-- outlets.claim: become the one who feeds a queue from its stream, or learn until when another is.
--
-- KEYS[1] feed      hash  owner, until (ms), and for each shard by its number the position to go on
--                         at; 'e' behind its end
-- ARGV[1] owner
-- ARGV[2] lease_ms  for how long, unless it is claimed again
-- ARGV[3] now_ms    '' in production; the clock of a test
--
-- Reply   -1 and the feed as field, value, ..; or for how many ms another one has it; or nothing
--         where there is no such queue
-- Errors  none
-- Cost    O(shards)
--@include lib/base

local feed = KEYS[1]
local now_ms = math.floor(now_us(ARGV[3]) / 1000)
local s = call('HMGET', feed, 'owner', 'until')
if not s[1] then return {} end
local left = tonumber(s[2]) - now_ms
if s[1] ~= ARGV[1] and left > 0 then return { int(left) } end
call('HSET', feed, 'owner', ARGV[1], 'until', int(now_ms + tonumber(ARGV[2])))
return { '-1', unpack(call('HGETALL', feed)) }
