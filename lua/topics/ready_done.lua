#!lua flags=allow-oom
-- topics.ready_done: end a claim.
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
if score and tonumber(score) == tonumber(ARGV[2]) then
  if ARGV[3] == '0' then call('ZREM', ready, ARGV[1])
  else
    call('ZADD', ready, ARGV[3], ARGV[1])
    -- Another dispatcher may sleep for longer than that.
    if call('LLEN', wake) == 0 then call('LPUSH', wake, '1') end
  end
end
return 1
