#!lua flags=allow-oom
-- worker.limit_take: take tokens from a bucket, or give back what was not needed. It fills by so many
-- tokens in so many ms, up to its burst.
--
-- Whole numbers only, so that no token is ever lost or made by rounding: the level is counted in
-- parts of which a token has per_ms, and each ms adds `count` of them.
--
-- KEYS[1] bucket   string  level in parts, time (ms); a full one is not kept
-- KEYS[2] answer   string  how many this very call was granted: it may be repeated by who did not hear
--                          the answer
-- ARGV[1] count    tokens ..
-- ARGV[2] per_ms   .. in so many ms
-- ARGV[3] burst    the most that it holds
-- ARGV[4] want     how many; negative gives back
-- ARGV[5] least    none where fewer than so many are there
-- ARGV[6] now_ms   '' in production; the clock of a test
--
-- Reply   how many are granted, ms until `least` of them will be there (0 where some were granted)
-- Errors  none
-- Cost    O(1)
--@include lib/base

local bucket, count, per_ms = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local granted_before = call('GET', KEYS[2])
if granted_before then return { tonumber(granted_before), 0 } end
local full, want, least = tonumber(ARGV[3]) * per_ms, tonumber(ARGV[4]), tonumber(ARGV[5])
local now_ms = math.floor(now_us(ARGV[6]) / 1000)
local level = full
local known = call('GET', bucket)
if known then
  local then_level, then_ms = string.match(known, '^(-?%d+) (%d+)$')
  local passed = math.max(now_ms - tonumber(then_ms), 0)
  -- Not passed * count at once: after a year that is beyond what a double holds exactly.
  if passed * count >= full then level = full
  else level = math.min(tonumber(then_level) + passed * count, full) end
  -- A clock that was set back fills nothing until it is where it was.
  now_ms = math.max(now_ms, tonumber(then_ms))
end
local granted = want
if want > 0 then
  granted = math.min(want, math.floor(level / per_ms))
  if granted < least then granted = 0 end
end
level = math.min(level - granted * per_ms, full)
if level >= full then call('DEL', bucket)
else
  call('SET', bucket, int(level) .. ' ' .. int(now_ms))
  -- A bucket that is full by then is none. Under a test's clock it stays.
  if ARGV[6] == '' then call('PEXPIRE', bucket, int(math.ceil((full - level) / count) + 1000)) end
end
if want <= 0 or granted > 0 then
  -- Whoever repeats does so within its retry timeout; later a token is lost, and none is made.
  call('SET', KEYS[2], int(granted), 'PX', 60000)
  return { granted, 0 }
end
return { 0, math.ceil((least * per_ms - level) / count) }
