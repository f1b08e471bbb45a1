-- shard: the refusals that every script of a shard shares.
--
-- A client works from a cached description of the stream. A shard that is not there, or that is of
-- another incarnation of the stream, makes it look again; so does one that knows a later version of
-- the description, where what is done depends on that.
local function refuse_shard(incarnation, expected)
  if incarnation == expected then return nil end
  if not incarnation then return redis.error_reply('RMQ_SHARD_DOES_NOT_EXIST') end
  return redis.error_reply('RMQ_STALE_CONFIG')
end
