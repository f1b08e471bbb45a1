-- topic: the two refusals that every topic script shares.
--
-- A publisher works from a cached description of its topic, as a sender does from its queue's, and
-- from a cached list of subscriptions. What is decided on an outdated one is not done.
local function refuse_topic(version, expected)
  if version == expected then return nil end
  if not version then return redis.error_reply('RMQ_TOPIC_DOES_NOT_EXIST') end
  return redis.error_reply('RMQ_STALE_CONFIG')
end
