#!lua flags=no-writes
-- worker.schedule_list: schedules by name, with what is known of each.
--
-- KEYS[1] index      zset    names, scores 0
-- KEYS[2] schedules  hash    name -> schedule
-- KEYS[3] due        zset    name -> the next moment (ms)
-- KEYS[4] paused     hash    name -> since when (ms)
-- KEYS[5] runs       hash    name -> the last moment fired (ms); 'error name' -> why one was lost
-- ARGV[1] from       where to begin, as ZRANGEBYLEX takes it
-- ARGV[2] most       1..1001
--
-- Reply   name, schedule, next moment, paused since, last moment, error of each; '' for none
-- Errors  none
-- Cost    O(most)
--@include lib/base

local reply = {}
for _, name in ipairs(call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, tonumber(ARGV[2]))) do
  local score = call('ZSCORE', KEYS[3], name)
  reply[#reply + 1] = name
  reply[#reply + 1] = call('HGET', KEYS[2], name) or ''
  reply[#reply + 1] = score and int(tonumber(score)) or ''
  reply[#reply + 1] = call('HGET', KEYS[4], name) or ''
  local runs = call('HMGET', KEYS[5], name, 'error ' .. name)
  reply[#reply + 1] = runs[1] or ''
  reply[#reply + 1] = runs[2] or ''
end
return reply
