#!lua flags=allow-oom
-- topics.put_subscription: make, change or remove a subscription, if it still is as it was.
--
-- What is stored is `since published invalid bare line until record`: the topic's seq when it began;
-- the topic's totals when its filter last changed (docs/design/topics.md, What was filtered out); the
-- number of the change that last set its cursor, and the topic's seq then (FIFO topics, Replays).
--
-- KEYS[1] state          hash
-- KEYS[2] subscriptions  hash    id -> subscription
-- KEYS[3] endpoints      hash    protocol and endpoint -> id
-- KEYS[4] changes        stream  number -> id
-- KEYS[5] pending        zset    id, protocol and endpoint -> when its token expires (ms)
-- KEYS[6] cursors        hash    FIFO: id -> seq up to which it was given everything
-- KEYS[7] stats          hash    per subscription
-- ARGV[1] version
-- ARGV[2] id
-- ARGV[3] expected       what is stored; '' for a new one
-- ARGV[4] record         what it becomes; '' removes it
-- ARGV[5] endpoint       protocol and endpoint
-- ARGV[6] expires_ms     when its token expires; '' for one that is confirmed
-- ARGV[7] recount        1 when its filter changes: count from now on; 2 when it begins now, confirmed
-- ARGV[8] policies       by how many the topic's filter policies grow: -1, 0, 1
-- ARGV[9] max_all        '' for no limit, as the next two
-- ARGV[10] max_pending
-- ARGV[11] max_policies
-- ARGV[12] cursor        FIFO: the seq behind which it goes on; '+' for the last one; '' leaves it
-- ARGV[13] now_ms        '' in production; the clock of a test
--
-- Reply   what is stored now ('' when removed); for a new one whose endpoint is subscribed, the id
--         of the one that is, and what is stored of it
-- Errors  RMQ_TOPIC_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_SUBSCRIPTION_DOES_NOT_EXIST
--         RMQ_TOO_MANY_SUBSCRIPTIONS RMQ_TOO_MANY_FILTER_POLICIES
-- Cost    O(log N)
--@include lib/base
--@include lib/topic
--@include lib/pending

local state, subscriptions, endpoints, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local pending, cursors, stats = KEYS[5], KEYS[6], KEYS[7]
local id, record, endpoint = ARGV[2], ARGV[4], ARGV[5]
local s = call('HMGET', state, 'version', 'seq', 'published', 'invalid', 'bare')
local refusal = refuse_topic(s[1], ARGV[1])
if refusal then return refusal end

local now_ms = math.floor(now_us(ARGV[13]) / 1000)
local stored = call('HGET', subscriptions, id)
if ARGV[3] == '' then
  -- Those whose token has expired are as good as gone, and count no longer.
  for _, late in ipairs(call('ZRANGEBYSCORE', pending, '-inf', int(now_ms), 'LIMIT', 0, 100)) do
    expire(state, subscriptions, endpoints, changes, pending, string.match(late, '^(%S+) (.*)$'))
  end
  local other = call('HGET', endpoints, endpoint)
  local there = other and call('HGET', subscriptions, other)
  if there then
    local ends = call('ZSCORE', pending, other .. ' ' .. endpoint)
    if not ends or tonumber(ends) > now_ms then return { other, there } end
    expire(state, subscriptions, endpoints, changes, pending, other, endpoint)
  end
  if ARGV[9] ~= '' and call('HLEN', subscriptions) >= tonumber(ARGV[9]) then
    return redis.error_reply('RMQ_TOO_MANY_SUBSCRIPTIONS ' .. ARGV[9] .. ' subscriptions')
  end
  if ARGV[6] ~= '' and ARGV[10] ~= '' and call('ZCARD', pending) >= tonumber(ARGV[10]) then
    return redis.error_reply('RMQ_TOO_MANY_SUBSCRIPTIONS ' .. ARGV[10] .. ' unconfirmed subscriptions')
  end
else
  if not stored then return redis.error_reply('RMQ_SUBSCRIPTION_DOES_NOT_EXIST ' .. id) end
  if stored ~= ARGV[3] then return redis.error_reply('RMQ_STALE_CONFIG') end
end
if ARGV[8] == '1' and ARGV[11] ~= ''
  and tonumber(call('HGET', state, 'policies')) >= tonumber(ARGV[11]) then
  return redis.error_reply('RMQ_TOO_MANY_FILTER_POLICIES ' .. ARGV[11])
end

local number = int(call('HINCRBY', state, 'number', 1))
call('XADD', changes, 'MAXLEN', 1000, number, 'i', id)
if ARGV[8] ~= '0' then call('HINCRBY', state, 'policies', ARGV[8]) end
if record == '' then
  call('HDEL', subscriptions, id)
  if call('HGET', endpoints, endpoint) == id then call('HDEL', endpoints, endpoint) end
  call('ZREM', pending, id .. ' ' .. endpoint)
  call('HDEL', cursors, id)
  call('HDEL', stats, id .. ':delivered', id .. ':failed', id .. ':ms', id .. ':replayed')
  return ''
end
local now_totals = s[3] .. ' ' .. s[4] .. ' ' .. s[5]
local since, totals, line, last = s[2], now_totals, number, s[2]
if ARGV[3] ~= '' then
  since, totals, line, last = string.match(stored, '^(%d+) (%d+ %d+ %d+) (%d+) (%d+) ')
  if ARGV[7] == '2' then since = s[2] end
  if ARGV[7] ~= '0' then totals = now_totals end
  if ARGV[12] ~= '' then line, last = number, s[2] end
end
record = since .. ' ' .. totals .. ' ' .. line .. ' ' .. last .. ' ' .. record
call('HSET', subscriptions, id, record)
call('HSET', endpoints, endpoint, id)
if ARGV[6] == '' then call('ZREM', pending, id .. ' ' .. endpoint)
else call('ZADD', pending, ARGV[6], id .. ' ' .. endpoint) end
if ARGV[12] ~= '' then call('HSET', cursors, id, ARGV[12] == '+' and s[2] or ARGV[12]) end
return record
