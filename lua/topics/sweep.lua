#!lua flags=allow-oom
-- topics.sweep: forget what is over: unconfirmed subscriptions, idle lanes, old deduplication ids.
--
-- KEYS[1] state          hash
-- KEYS[2] subscriptions  hash
-- KEYS[3] endpoints      hash
-- KEYS[4] changes        stream
-- KEYS[5] pending        zset
-- KEYS[6] lanes          zset
-- KEYS[7] dedup          zset
-- ARGV[1] window_ms      deduplication window
-- ARGV[2] again_ms       when to look again
-- ARGV[3] now_ms         '' in production; the clock of a test
--
-- Reply   1 when there is more to do
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST
-- Cost    O(log N), 100 of each at most
--@include lib/base
--@include lib/pending

local state, subscriptions, endpoints, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local pending, lanes, dedup = KEYS[5], KEYS[6], KEYS[7]
local LANE_US = 3600 * 1000000
if call('EXISTS', state) == 0 then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
local now = now_us(ARGV[3])

-- 1. Who did not confirm in time.
local late = call('ZRANGEBYSCORE', pending, '-inf', int(math.floor(now / 1000)), 'LIMIT', 0, 100)
for i = 1, #late do
  local id, endpoint = string.match(late[i], '^(%S+) (.*)$')
  expire(state, subscriptions, endpoints, changes, pending, id, endpoint)
end
local more = #late == 100

-- 2. Lanes of publishers that are gone.
local idle = call('ZRANGEBYSCORE', lanes, '-inf', int(now - LANE_US), 'LIMIT', 0, 100)
for i = 1, #idle do
  local last = call('HGET', state, 'lane:' .. idle[i])
  if last and tonumber(last) > now - LANE_US then call('ZADD', lanes, last, idle[i])
  else
    call('HDEL', state, 'lane:' .. idle[i])
    call('ZREM', lanes, idle[i])
  end
end

-- 3. Deduplication ids.
local old = math.min(call('ZCOUNT', dedup, '-inf', int(now - tonumber(ARGV[1]) * 1000)), 1000)
if old > 0 then call('ZREMRANGEBYRANK', dedup, 0, old - 1) end
if old == 1000 then more = true end

call('HSET', state, 'sweep', more and '0' or int(now + tonumber(ARGV[2]) * 1000))
return more and 1 or 0
