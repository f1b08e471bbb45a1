#!lua
-- sms.opt_in: a number takes SMS again, once in an interval.
--
-- KEYS[1] opted_out    zset  number, score 0
-- KEYS[2] opted_in     zset  number -> when it was last opted in (ms)
-- ARGV[1] number
-- ARGV[2] interval_ms  '' for none
-- ARGV[3] now_ms       '' in production; the clock of a test
--
-- Reply   1 when it was opted out, else 0
-- Errors  RMQ_OPTED_IN_RECENTLY
-- Cost    O(log N)
--@include lib/base

local opted_out, opted_in, interval = KEYS[1], KEYS[2], tonumber(ARGV[2])
if not call('ZSCORE', opted_out, ARGV[1]) then return 0 end
if interval then
  local now_ms = math.floor(now_us(ARGV[3]) / 1000)
  local before = call('ZSCORE', opted_in, ARGV[1])
  -- One from the future is of a clock that was set back since; nobody waits for that.
  local passed = before and now_ms - tonumber(before) or -1
  if passed >= 0 and passed < interval then
    return redis.error_reply('RMQ_OPTED_IN_RECENTLY ' .. int(interval - passed))
  end
  -- What is over is of no use to anybody. A few at a time.
  local old = call('ZRANGEBYSCORE', opted_in, '-inf', int(now_ms - interval), 'LIMIT', 0, 10)
  if #old > 0 then call('ZREM', opted_in, unpack(old)) end
  call('ZADD', opted_in, int(now_ms), ARGV[1])
end
call('ZREM', opted_out, ARGV[1])
return 1
