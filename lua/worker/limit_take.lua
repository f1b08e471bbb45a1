#!lua flags=allow-oom
-- worker.limit_take: take tokens from a bucket, or give back what was not needed. It fills by so many
-- tokens in so many ms, up to its burst.
--
-- Whole numbers only, so that no token is ever lost or made by rounding: the level is counted in
-- parts of which a token has per_ms, and each ms adds `count` of them.
--
-- KEYS[1] bucket   hash    level -> level in parts, time (ms); none when it is full.
--                          lane -> number of its last call that did something, granted, time (ms)
-- ARGV[1] lane     one caller's line of calls; it has one under way at a time
-- ARGV[2] number   of the call on its lane. It may be repeated by who did not hear the answer
-- ARGV[3] count    tokens ..
-- ARGV[4] per_ms   .. in so many ms
-- ARGV[5] burst    the most that it holds
-- ARGV[6] want     how many; negative gives back
-- ARGV[7] least    none where fewer than so many are there
-- ARGV[8] now_ms   '' in production; the clock of a test
--
-- Reply   how many are granted, ms until `least` of them will be there (0 where some were granted)
-- Errors  none
-- Cost    O(1)
--@include lib/base

local bucket, lane, number = KEYS[1], ARGV[1], tonumber(ARGV[2])
local count, per_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
-- Whoever repeats a call does so within its retry timeout; later a token is lost or made.
local KEPT_MS = 60000
local known = call('HMGET', bucket, 'level', lane)
if known[2] then
  local done, granted = string.match(known[2], '^(%d+) (-?%d+)')
  -- An older one is a ghost on a connection that was given up: nobody hears its answer.
  if tonumber(done) > number then return { 0, 0 } end
  if tonumber(done) == number then return { tonumber(granted), 0 } end
end
local full, want, least = tonumber(ARGV[5]) * per_ms, tonumber(ARGV[6]), tonumber(ARGV[7])
local now_ms = math.floor(now_us(ARGV[8]) / 1000)
local level, at_ms = full, now_ms
if known[1] then
  local then_level, then_ms = string.match(known[1], '^(-?%d+) (%d+)$')
  local passed = math.max(now_ms - tonumber(then_ms), 0)
  -- Not passed * count at once: after a year that is beyond what a double holds exactly.
  if passed * count < full then level = math.min(tonumber(then_level) + passed * count, full) end
  -- A clock that was set back fills nothing until it is where it was.
  at_ms = math.max(now_ms, tonumber(then_ms))
end
local granted = want
if want > 0 then
  granted = math.min(want, math.floor(level / per_ms))
  if granted < least then granted = 0 end
end
level = math.min(level - granted * per_ms, full)

if level >= full then call('HDEL', bucket, 'level')
else call('HSET', bucket, 'level', int(level) .. ' ' .. int(at_ms)) end
local is_done = want <= 0 or granted > 0
if is_done then
  if not known[2] then
    -- A new lane clears away some whose callers are gone, so a busy bucket has few of those.
    local some, late = call('HRANDFIELD', bucket, 8, 'WITHVALUES'), {}
    for i = 1, #some, 2 do
      local since = some[i] ~= 'level' and string.match(some[i + 1], ' (%d+)$')
      if since and tonumber(since) + KEPT_MS < now_ms then late[#late + 1] = some[i] end
    end
    if #late > 0 then call('HDEL', bucket, unpack(late)) end
  end
  call('HSET', bucket, lane, int(number) .. ' ' .. int(granted) .. ' ' .. int(now_ms))
end
-- A bucket that is full by then is none. Under a test's clock one that is not full stays.
if level >= full then call('PEXPIRE', bucket, KEPT_MS)
elseif ARGV[8] == '' then
  call('PEXPIRE', bucket, int(math.max(math.ceil((full - level) / count) + 1000, KEPT_MS)))
else call('PERSIST', bucket) end
if is_done then return { granted, 0 } end
return { 0, math.ceil((least * per_ms - level) / count) }
