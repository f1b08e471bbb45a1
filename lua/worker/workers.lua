#!lua flags=no-writes
-- worker.workers: those who live, and what they last said of themselves.
--
-- KEYS[1] workers      zset    id -> until when it counts as alive (ms)
-- KEYS[2] worker_info  hash    id -> what it last said of itself (JSON)
-- ARGV[1] most         1..1000
-- ARGV[2] now_ms       '' in production; the clock of a test
--
-- Reply   id, until when it counts as alive (ms), info of each
-- Errors  none
-- Cost    O(most + log N)
--@include lib/base

local reply = {}
local after = '(' .. int(math.floor(now_us(ARGV[2]) / 1000))
local found = call('ZRANGEBYSCORE', KEYS[1], after, '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[1]))
for i = 1, #found, 2 do
  reply[#reply + 1] = found[i]
  reply[#reply + 1] = int(tonumber(found[i + 1]))
  reply[#reply + 1] = call('HGET', KEYS[2], found[i]) or '{}'
end
return reply
