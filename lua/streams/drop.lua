#!lua flags=allow-oom
-- streams.drop: remove a shard. Whoever waits for records has to see an entry first.
--
-- KEYS[1] state   hash
-- KEYS[2] log     stream
-- KEYS[3..]       every other key of the shard
-- ARGV[1] incarnation
-- ARGV[2] last    0 to close it and wake who waits, 1 to remove it
--
-- Reply   1
-- Errors  none
-- Cost    O(1): the memory is given back in the background
--@include lib/base

local state, log = KEYS[1], KEYS[2]
local s = call('HMGET', state, 'incarnation', 'last')
-- Gone, or made anew since: then it is not the caller's to remove.
if s[1] ~= ARGV[1] then return 1 end
if ARGV[2] == '1' then
  call('UNLINK', state, log, unpack(KEYS, 3))
else
  local last = int(tonumber(s[2]) + 1)
  call('XADD', log, last .. '-0', 'c', '')
  call('HSET', state, 'closed', '1', 'last', last)
end
return 1
