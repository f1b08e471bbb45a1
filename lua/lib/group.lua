-- group: a lease of a consumer group, one row of text in the hash `leases`, by the shard's number.
--
--   owner token position sub switches since want parents
--
--   owner     worker, or - for nobody
--   token     the fencing token: grows with each new owner, over the whole group
--   position  where to go on reading; E when the shard was read to its end
--   sub       how many of that record's user records are done (aggregated records)
--   switches  new owners since the last checkpoint
--   since     since when (ms) it could have an owner and has none; 0 when it has, or may not
--   want      the worker that it is to be handed over to, or -
--   parents   numbers of shards with commas between, or -
local ROW = '^(%S+) (%d+) (%S+) (%d+) (%d+) (%d+) (%S+) (%S+)$'
local function read_row(text)
  local owner, token, position, sub, switches, since, want, parents = string.match(text, ROW)
  return {
    owner = owner, token = tonumber(token), position = position, sub = sub,
    switches = tonumber(switches), since = tonumber(since), want = want, parents = parents,
  }
end
local function pack_row(row)
  return table.concat({
    row.owner, int(row.token), row.position, row.sub, int(row.switches), int(row.since), row.want,
    row.parents,
  }, ' ')
end
