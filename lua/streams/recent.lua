#!lua flags=no-writes
-- streams.recent: the last blocks that a shard took, the newest first: to see where its heat is.
--
-- KEYS[1] log    stream
-- ARGV[1] most   how many blocks
-- ARGV[2] bytes  the block with which it is this many is the last
--
-- Reply   of each block its id, its kind and the block
-- Errors  none
-- Cost    O(bytes)

local STEP = 16
local reply, bytes, blocks, start = {}, 0, 0, '+'
while blocks < tonumber(ARGV[1]) do
  local entries = redis.call('XREVRANGE', KEYS[1], start, '-', 'COUNT', STEP)
  for i = 1, #entries do
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = entries[i][1], entries[i][2][1], entries[i][2][2]
    bytes, blocks = bytes + #reply[n + 3], blocks + 1
    if bytes >= tonumber(ARGV[2]) then return reply end
  end
  if #entries < STEP then return reply end
  start = '(' .. entries[#entries][1]
end
return reply
