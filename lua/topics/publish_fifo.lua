#!lua
-- topics.publish_fifo: publish messages on a FIFO topic, each deduplication id once in its window.
-- Whoever finds no relayer at work becomes it.
--
-- A lost answer needs no lane here: the repeat is a duplicate, and is answered like the first, also
-- when that made the caller the relayer.
--
-- KEYS[1] state    hash
-- KEYS[2] outbox   stream   seq -> packed message and its group
-- KEYS[3] dedup    zset     deduplication key -> seq of the first publish
-- KEYS[4] live     channel  for whoever listens now
-- ARGV[1] version
-- ARGV[2] number     of the last change of a subscription that the caller knows
-- ARGV[3] window_ms  how long a deduplication id is remembered
-- ARGV[4] relayer    the caller's name as a relayer, used once
-- ARGV[5] lease_ms   for how long it would be
-- ARGV[6] keep       1 where an archive keeps what nobody gets as well
-- ARGV[7] invalid    how many of them are no JSON object
-- ARGV[8] bare       how many of them have no attributes
-- ARGV[9..]          deduplication key, group, packed, 1 when somebody gets it, ..
-- ARGV[#] now_ms     '' in production; the clock of a test
--
-- Reply   1 when the caller is the relayer now, 1 when a sweep is due, then per message its seq; '='
--         before it for a duplicate
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(messages * log N)
--@include lib/base
--@include lib/topic

local state, outbox, dedup, live = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = call('HMGET', state, 'version', 'number', 'seq', 'published', 'bytes', 'invalid', 'bare',
  'sweep', 'listened', 'relayer', 'relay_until')
local refusal = refuse_topic(s[1], ARGV[1])
if refusal then return refusal end
if s[2] ~= ARGV[2] then return redis.error_reply('RMQ_STALE_CONFIG') end

local now = now_us(ARGV[#ARGV])
local oldest, heard = now - tonumber(ARGV[3]) * 1000, now < tonumber(s[9])
local keys_ = {}
for i = 9, #ARGV - 4, 4 do keys_[#keys_ + 1] = ARGV[i] end
local known = call('ZMSCORE', dedup, unpack(keys_))
local seq, new, bytes, placed = math.max(now, tonumber(s[3]) + 1) - 1, 0, 0, 0
local reply, here, remember = { '0', now >= tonumber(s[8]) and '1' or '0' }, {}, {}
for n = 1, #keys_ do
  local i = 5 + 4 * n
  local key, group, packed = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local first = here[key] or (known[n] and tonumber(known[n]) > oldest and int(tonumber(known[n])))
  if first then
    reply[n + 2] = '=' .. first
  else
    seq = seq + 1
    local id = int(seq)
    if ARGV[i + 3] == '1' or ARGV[6] == '1' then
      call('XADD', outbox, id, 'm', packed, 'g', group)
      placed = placed + 1
    end
    if heard then call('SPUBLISH', live, id .. ' ' .. group .. ' ' .. packed) end
    here[key] = id
    remember[#remember + 1] = id
    remember[#remember + 1] = key
    new, bytes = new + 1, bytes + #packed
    reply[n + 2] = id
  end
end
if new > 0 then
  call('ZADD', dedup, unpack(remember))
  -- What was filtered out is worked out from the totals; a duplicate is in none of them.
  local share = new / #keys_
  call('HSET', state, 'seq', int(seq), 'published', int(tonumber(s[4]) + new),
    'bytes', int(tonumber(s[5]) + bytes),
    'invalid', int(tonumber(s[6]) + math.floor(tonumber(ARGV[7]) * share + 0.5)),
    'bare', int(tonumber(s[7]) + math.floor(tonumber(ARGV[8]) * share + 0.5)))
end
if s[10] == ARGV[4] or (placed > 0 and (not s[10] or now >= tonumber(s[11]))) then
  call('HSET', state, 'relayer', ARGV[4], 'relay_until', int(now + tonumber(ARGV[5]) * 1000))
  reply[1] = '1'
end
-- Forget at least as fast as we learn, and never all at once.
local old = math.min(call('ZCOUNT', dedup, '-inf', int(oldest)), 2 * #keys_ + 20)
if old > 0 then call('ZREMRANGEBYRANK', dedup, 0, old - 1) end
return reply
