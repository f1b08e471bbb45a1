#!lua flags=allow-oom
-- topics.ready_done: end a claim. Where somebody else has claimed it meanwhile, what is due earlier
-- than they know is marked all the same.
--
-- KEYS[1] ready     zset  queue and topic -> when to look at it (ms)
-- KEYS[2] wake      list  at most one token
-- ARGV[1] member    queue and topic
-- ARGV[2] until_ms  when the claim ends: what was marked meanwhile has another score, and stays
-- ARGV[3] again_ms  when to look again; 0 when nothing is left
--
-- Reply   1
-- Errors  none
-- Cost    O(log N)
--@include lib/base

local ready, wake = KEYS[1], KEYS[2]
local score = call('ZSCORE', ready, ARGV[1])
local ours = score and tonumber(score) == tonumber(ARGV[2])
if ARGV[3] == '0' then
  if ours then call('ZREM', ready, ARGV[1]) end
  return 1
end
local changed
if ours then changed = call('ZADD', ready, 'CH', ARGV[3], ARGV[1])
else changed = call('ZADD', ready, 'LT', 'CH', ARGV[3], ARGV[1]) end
-- Another dispatcher may sleep for longer than that.
if changed > 0 and call('LLEN', wake) == 0 then call('LPUSH', wake, '1') end
return 1
