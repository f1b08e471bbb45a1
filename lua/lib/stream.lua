-- stream: the two refusals that every script of a stream shares.
local function refuse_stream(version, expected)
  if version == expected then return nil end
  if not version then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end
  return redis.error_reply('RMQ_STALE_CONFIG')
end
