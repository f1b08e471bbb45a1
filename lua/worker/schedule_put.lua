#!lua
-- worker.schedule_put: make a schedule, or change one. Its next moment stays where its times did not
-- change: what was missed while nobody ran is still due then. Unless it lies behind a new end, or the
-- old end left none.
--
-- KEYS[1] schedules  hash    name -> schedule (JSON)
-- KEYS[2] index      zset    names, scores 0
-- KEYS[3] due        zset    name -> the next moment (ms); not of those that are paused
-- KEYS[4] paused     hash    name -> since when (ms)
-- KEYS[5] wake       list    at most one token
-- ARGV[1] name
-- ARGV[2] schedule
-- ARGV[3] next_ms    0 for never
--
-- Reply   1 where anything changed
-- Errors  none
-- Cost    O(log N)
--@include lib/base

local schedules, index, due, paused, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local name = ARGV[1]
local old = call('HGET', schedules, name)
if old == ARGV[2] then return 0 end
call('HSET', schedules, name, ARGV[2])
call('ZADD', index, 0, name)
if old then
  local before, after = cjson.decode(old), cjson.decode(ARGV[2])
  if before.when == after.when and before.timezone == after.timezone then
    local at, ends = tonumber(call('ZSCORE', due, name) or nil), tonumber(after.until_ms)
    if at and not (ends and at > ends) then return 1 end
  end
end
if call('HEXISTS', paused, name) == 0 then
  if ARGV[3] == '0' then call('ZREM', due, name) else call('ZADD', due, ARGV[3], name) end
  if call('LLEN', wake) == 0 then call('LPUSH', wake, '1') end
end
return 1
