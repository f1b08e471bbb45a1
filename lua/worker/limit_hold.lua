#!lua flags=allow-oom
-- worker.limit_hold: hold places, of which there are so many in the whole fleet, or keep them. A place
-- whose holder died is free when its lease ends.
--
-- KEYS[1] held      zset    holder -> when its lease ends (ms)
-- KEYS[2] wake      list    at most one token; who finds no place blocks on it
-- ARGV[1] limit
-- ARGV[2] lease_ms
-- ARGV[3..]       holders, at most 1000
-- ARGV[#] now_ms    '' in production; the clock of a test
--
-- Reply   1 or 0 for each holder, then ms until the first lease ends (-1: there is none)
-- Errors  none
-- Cost    O(holders * log N)
--@include lib/base

local held, wake, limit = KEYS[1], KEYS[2], tonumber(ARGV[1])
local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
local ends = int(now_ms + tonumber(ARGV[2]))
call('ZREMRANGEBYSCORE', held, '-inf', int(now_ms))
local taken, reply, refused = call('ZCARD', held), {}, false
for i = 3, #ARGV - 1 do
  if call('ZSCORE', held, ARGV[i]) then reply[#reply + 1] = 1
  elseif taken < limit then
    taken = taken + 1
    reply[#reply + 1] = 1
  else
    reply[#reply + 1] = 0
    refused = true
  end
  if reply[#reply] == 1 then
    call('ZADD', held, ends, ARGV[i])
  end
end
if taken > 0 and ARGV[#ARGV] == '' then
  -- Nobody's lease is longer than the longest: what expires here has ended.
  local last = call('ZRANGE', held, -1, -1, 'WITHSCORES')[2]
  call('PEXPIREAT', held, int(tonumber(last) + 1000))
end
if refused then call('DEL', wake)
elseif taken < limit and call('LLEN', wake) == 0 then
  call('LPUSH', wake, '1')
  if ARGV[#ARGV] == '' then call('PEXPIRE', wake, tonumber(ARGV[2]) + 1000) end
end
local first = call('ZRANGE', held, 0, 0, 'WITHSCORES')[2]
reply[#reply + 1] = first and int(tonumber(first) - now_ms) or -1
return reply
