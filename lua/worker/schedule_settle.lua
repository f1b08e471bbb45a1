#!lua flags=allow-oom
-- worker.schedule_settle: what is in its queue now leaves the outbox; of what could not be sent it is
-- noted why.
--
-- KEYS[1] outbox     stream  seq -> name, moment, schedule
-- KEYS[2] runs       hash    'error name' -> why the last moment was lost
-- ARGV[1..]        seq, name, why ('' where it was sent), ..
--
-- Reply   1
-- Errors  none
-- Cost    O(moments)
--@include lib/base

local outbox, runs = KEYS[1], KEYS[2]
for i = 1, #ARGV, 3 do
  local known = call('XDEL', outbox, ARGV[i] .. '-0')
  if ARGV[i + 2] ~= '' then
    if known > 0 then call('HSET', runs, 'error ' .. ARGV[i + 1], ARGV[i + 2]) end
  else call('HDEL', runs, 'error ' .. ARGV[i + 1]) end
end
return 1
