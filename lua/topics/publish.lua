#!lua
-- topics.publish: publish a batch of messages on a standard topic, whole or not at all. One that
-- somebody gets a message of goes to the outbox; what nobody gets is only counted.
--
-- KEYS[1] state   hash
-- KEYS[2] outbox  stream   first seq -> batch, its lane, how many messages it has
-- KEYS[3] lanes   zset     lane -> when it was first used; for the sweep
-- KEYS[4] live    channel  for whoever listens now
-- ARGV[1] version
-- ARGV[2] number   of the last change of a subscription that the caller knows
-- ARGV[3] lane     one caller's unbroken line of publishes; it has one call under way at a time
-- ARGV[4] seen     the first seq of this lane's last call that was answered; 0 for none
-- ARGV[5] invalid  how many messages are no JSON object
-- ARGV[6] bare     how many have no attributes
-- ARGV[7] batch    the messages, packed together
-- ARGV[8] count    how many they are, 1..1000
-- ARGV[9] matched  1 when somebody gets one of them
-- ARGV[10] now_ms  '' in production; the clock of a test
--
-- Reply   first seq (the others follow it one by one), 1 when a sweep is due
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1)
--@include lib/base
--@include lib/topic

local state, outbox, lanes, live = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local lane = 'lane:' .. ARGV[3]
local s = call('HMGET', state, 'version', 'number', 'seq', 'published', 'bytes', 'invalid', 'bare',
  'sweep', 'listened', lane)
-- The answer to this very call was lost on the way: it has been done already, whatever was changed
-- since. Refused now, it would be published again, or another batch on this lane be taken for it.
if s[10] and tonumber(s[10]) > tonumber(ARGV[4]) then return { s[10], 0 } end
local refusal = refuse_topic(s[1], ARGV[1])
if refusal then return refusal end
if s[2] ~= ARGV[2] then return redis.error_reply('RMQ_STALE_CONFIG') end

local now, count = now_us(ARGV[10]), tonumber(ARGV[8])
local first = math.max(now, tonumber(s[3]) + 1)
if ARGV[9] == '1' then
  call('XADD', outbox, int(first), 'm', ARGV[7], 'l', ARGV[3], 'n', ARGV[8])
  call('HINCRBY', state, 'left', ARGV[8])
end
if now < tonumber(s[9]) then call('SPUBLISH', live, int(first) .. ' ' .. ARGV[7]) end
if not s[10] then call('ZADD', lanes, int(now), ARGV[3]) end
call('HSET', state, 'seq', int(first + count - 1), 'published', int(tonumber(s[4]) + count),
  'bytes', int(tonumber(s[5]) + #ARGV[7]), 'invalid', int(tonumber(s[6]) + tonumber(ARGV[5])),
  'bare', int(tonumber(s[7]) + tonumber(ARGV[6])), lane, int(first))
return { int(first), now >= tonumber(s[8]) and 1 or 0 }
