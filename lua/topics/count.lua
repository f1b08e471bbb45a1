#!lua flags=allow-oom
-- topics.count: count what became of pushed messages.
--
-- KEYS[1] subscriptions  hash    id -> subscription
-- KEYS[2] stats          hash    per subscription
-- ARGV[1..]              id, delivered, failed, ms between publish and delivery of all delivered, ..
--
-- Reply   1
-- Errors  none
-- Cost    O(ids)

local subscriptions, stats = KEYS[1], KEYS[2]
local call = redis.call
for i = 1, #ARGV, 4 do
  -- One that has ended is counted no more: nobody would ever remove it.
  if call('HEXISTS', subscriptions, ARGV[i]) == 1 then
    if ARGV[i + 1] ~= '0' then
      call('HINCRBY', stats, ARGV[i] .. ':delivered', ARGV[i + 1])
      call('HINCRBY', stats, ARGV[i] .. ':ms', ARGV[i + 3])
    end
    if ARGV[i + 2] ~= '0' then call('HINCRBY', stats, ARGV[i] .. ':failed', ARGV[i + 2]) end
  end
end
return 1
