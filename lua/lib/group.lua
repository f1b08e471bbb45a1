-- group: a lease of a consumer group, one row of text in the hash `leases`, by the shard's number.
--
--   owner want position token sub switches since parents
--
--   owner     worker, or - for nobody
--   want      the worker that it is to be handed over to, or -
--   position  where to go on reading; E when the shard was read to its end
--   token     the fencing token: grows with each new owner, over the whole group
--   sub       how many of that record's user records are done (aggregated records)
--   switches  new owners since the last checkpoint
--   since     since when (ms) it could have an owner and has none; 0 when it has, or may not
--   parents   numbers of shards with commas between, or -
local ROW = '^(%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%S+)$'
-- The first three: all that has to be known of the leases of others.
local OWNER = '^(%S+) (%S+) (%S+)'
local function read_row(text)
  local owner, want, position, token, sub, switches, since, parents = string.match(text, ROW)
  return {
    owner = owner, want = want, position = position, token = tonumber(token), sub = sub,
    switches = tonumber(switches), since = tonumber(since), parents = parents,
  }
end
local function pack_row(row)
  return table.concat({
    row.owner, row.want, row.position, int(row.token), row.sub, int(row.switches), int(row.since),
    row.parents,
  }, ' ')
end
