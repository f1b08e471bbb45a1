#!lua flags=allow-oom
-- worker.tidy: forget what is known of messages that are gone: expired, purged, or deleted by others.
--
-- KEYS[1] trials   hash    see worker.note
-- KEYS[2] log      stream
-- ARGV[1] cursor   of HSCAN; '0' begins
--
-- Reply   the next cursor ('0' at the end), how many fields were removed
-- Errors  none
-- Cost    O(100)
local call = redis.call
local trials, log = KEYS[1], KEYS[2]
local page = call('HSCAN', trials, ARGV[1], 'COUNT', 100)
local gone, there = {}, {}
for i = 1, math.min(#page[2], 2000), 2 do
  local seq = string.match(page[2][i], '^%d+')
  if there[seq] == nil then there[seq] = #call('XRANGE', log, seq, seq) > 0 end
  if not there[seq] then gone[#gone + 1] = page[2][i] end
end
if #gone > 0 then call('HDEL', trials, unpack(gone)) end
return { page[1], #gone }
