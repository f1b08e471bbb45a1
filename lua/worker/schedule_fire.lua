#!lua
-- worker.schedule_fire: note the moments of schedules as fired, each once, and put what they send in
-- the outbox, in one step.
--
-- KEYS[1] state      hash    see worker.schedule_look
-- KEYS[2] due        zset    name -> the next moment (ms)
-- KEYS[3] schedules  hash    name -> schedule
-- KEYS[4] outbox     stream  seq -> name, moment, schedule
-- KEYS[5] runs       hash    name -> the last moment fired (ms)
-- ARGV[1] holder
-- ARGV[2] fence
-- ARGV[3] incarnation  hex, for an app that has none yet
-- ARGV[4..]        name, the moment that was due, the next one (0 for none), how many fire, these, ..
--
-- Reply   how many were fired. A schedule whose next moment is another by now is left alone
-- Errors  RMQ_SCHEDULER_LEASE_LOST
-- Cost    O(moments + schedules * log N)
--@include lib/base

local state, due, schedules, outbox, runs = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local s = call('HMGET', state, 'holder', 'fence', 'seq')
if s[1] ~= ARGV[1] or s[2] ~= ARGV[2] then
  return redis.error_reply('RMQ_SCHEDULER_LEASE_LOST ' .. (s[1] or ''))
end
local seq, fired, i = tonumber(s[3] or 0), 0, 4
while i < #ARGV do
  local name, count = ARGV[i], tonumber(ARGV[i + 3])
  local score, schedule = call('ZSCORE', due, name), call('HGET', schedules, name)
  if score and schedule and tonumber(score) == tonumber(ARGV[i + 1]) then
    for at = i + 4, i + 3 + count do
      seq, fired = seq + 1, fired + 1
      call('XADD', outbox, int(seq) .. '-0', 'n', name, 'm', ARGV[at], 's', schedule)
    end
    if ARGV[i + 2] == '0' then call('ZREM', due, name)
    else call('ZADD', due, ARGV[i + 2], name) end
    if count > 0 then call('HSET', runs, name, ARGV[i + 3 + count]) end
  end
  i = i + 4 + count
end
if fired > 0 then
  call('HSETNX', state, 'incarnation', ARGV[3])
  call('HSET', state, 'seq', int(seq))
end
return fired
