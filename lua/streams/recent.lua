#!lua flags=no-writes
-- streams.recent: the last blocks that a shard took, the newest first: to see where its heat is.
--
-- KEYS[1] log     stream
-- ARGV[1] before  the id before which to begin; '+' for the last block
-- ARGV[2] bytes   the block with which it is this many is the last
--
-- Reply   of each block its id, its kind and the block
-- Errors  none
-- Cost    O(bytes)

local reply, bytes = {}, 0
local start = ARGV[1] == '+' and '+' or '(' .. ARGV[1]
for _ = 1, 64 do
  local entry = redis.call('XREVRANGE', KEYS[1], start, '-', 'COUNT', 1)[1]
  if not entry then break end
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = entry[1], entry[2][1], entry[2][2]
  bytes, start = bytes + #entry[2][2], '(' .. entry[1]
  if bytes >= tonumber(ARGV[2]) then break end
end
return reply
