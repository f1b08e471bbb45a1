-- stream: the two refusals that every script of a stream shares, and what counts its changes.
local function refuse_stream(version, expected)
  if version == expected then return nil end
  if not version then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end
  return redis.error_reply('RMQ_STALE_CONFIG')
end

-- The version after a change: the incarnation stays, the number counts up.
local function next_version(version)
  local incarnation, number = string.match(version, '^(%x+):(%d+)$')
  return incarnation .. ':' .. int(tonumber(number) + 1)
end
