#!lua
-- worker.unique_take: take a place that only one task may have, or keep it for longer.
--
-- KEYS[1] holder   string  task id, until (ms)
-- ARGV[1] id
-- ARGV[2] keep_ms
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   the id of the one that has it now
-- Errors  none
-- Cost    O(1)
--@include lib/base

local holder, id = KEYS[1], ARGV[1]
local now_ms = math.floor(now_us(ARGV[3]) / 1000)
local known = call('GET', holder)
if known then
  local whose, ends = string.match(known, '^(.*) (%d+)$')
  if whose ~= id and tonumber(ends) > now_ms then return whose end
end
call('SET', holder, id .. ' ' .. int(now_ms + tonumber(ARGV[2])))
if ARGV[3] == '' then call('PEXPIRE', holder, ARGV[2]) end
return id
