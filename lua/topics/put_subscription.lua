#!lua flags=allow-oom
-- topics.put_subscription: make, change or remove a subscription, if it still is as it was.
--
-- What is stored is `since published invalid bare record`: the topic's seq when it was made, and the
-- topic's totals when its filter last changed; see docs/design/topics.md, What was filtered out.
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
-- ARGV[7] recount        1 when its filter changes: count from now on
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

local state, subscriptions, endpoints, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local pending, cursors, stats = KEYS[5], KEYS[6], KEYS[7]
local id, record, endpoint = ARGV[2], ARGV[4], ARGV[5]
local s = call('HMGET', state, 'version', 'seq', 'published', 'invalid', 'bare', 'policies')
local refusal = refuse_topic(s[1], ARGV[1])
if refusal then return refusal end

local now_ms = math.floor(now_us(ARGV[13]) / 1000)
local totals = s[3] .. ' ' .. s[4] .. ' ' .. s[5] .. ' '
local stored = call('HGET', subscriptions, id)
local head
if ARGV[3] == '' then
  local other = call('HGET', endpoints, endpoint)
  local there = other and call('HGET', subscriptions, other)
  if there then
    local ends = call('ZSCORE', pending, other .. ' ' .. endpoint)
    -- One whose token has expired is as good as gone.
    if not ends or tonumber(ends) > now_ms then return { other, there } end
    call('HDEL', subscriptions, other)
    call('ZREM', pending, other .. ' ' .. endpoint)
  end
  if ARGV[9] ~= '' and call('HLEN', subscriptions) >= tonumber(ARGV[9]) then
    return redis.error_reply('RMQ_TOO_MANY_SUBSCRIPTIONS ' .. ARGV[9] .. ' subscriptions')
  end
  if ARGV[6] ~= '' and ARGV[10] ~= '' and call('ZCARD', pending) >= tonumber(ARGV[10]) then
    return redis.error_reply('RMQ_TOO_MANY_SUBSCRIPTIONS ' .. ARGV[10] .. ' unconfirmed subscriptions')
  end
  head = s[2] .. ' ' .. totals
else
  if not stored then return redis.error_reply('RMQ_SUBSCRIPTION_DOES_NOT_EXIST ' .. id) end
  if stored ~= ARGV[3] then return redis.error_reply('RMQ_STALE_CONFIG') end
  head = string.match(stored, '^%d+ %d+ %d+ %d+ ')
  if ARGV[7] == '1' then head = string.match(stored, '^%d+ ') .. totals end
end
if ARGV[8] == '1' and ARGV[11] ~= '' and tonumber(s[6]) >= tonumber(ARGV[11]) then
  return redis.error_reply('RMQ_TOO_MANY_FILTER_POLICIES ' .. ARGV[11])
end

local number = call('HINCRBY', state, 'number', 1)
call('XADD', changes, 'MAXLEN', 1000, int(number), 'i', id)
if ARGV[8] ~= '0' then call('HINCRBY', state, 'policies', ARGV[8]) end
if record == '' then
  call('HDEL', subscriptions, id)
  if call('HGET', endpoints, endpoint) == id then call('HDEL', endpoints, endpoint) end
  call('ZREM', pending, id .. ' ' .. endpoint)
  call('HDEL', cursors, id)
  call('HDEL', stats, id .. ':delivered', id .. ':failed', id .. ':ms')
  return ''
end
call('HSET', subscriptions, id, head .. record)
call('HSET', endpoints, endpoint, id)
if ARGV[6] == '' then call('ZREM', pending, id .. ' ' .. endpoint)
else call('ZADD', pending, ARGV[6], id .. ' ' .. endpoint) end
if ARGV[12] ~= '' then call('HSET', cursors, id, ARGV[12] == '+' and s[2] or ARGV[12]) end
return head .. record
