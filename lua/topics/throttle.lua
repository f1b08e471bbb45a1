#!lua flags=allow-oom
-- topics.throttle: take tokens of a subscription, or give back what was not needed. The bucket fills
-- by `rate` a second up to one second's worth; all dispatchers share it.
--
-- KEYS[1] state    hash    of the inner queue; here tokens, tokens_ms
-- ARGV[1] rate     a second
-- ARGV[2] want     how many; negative gives back
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   how many are granted, ms until the next one (0 where some were granted)
-- Errors  none
-- Cost    O(1)
--@include lib/base

local state, rate, want = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
-- A queue that is gone keeps nothing.
if call('EXISTS', state) == 0 then return { math.max(want, 0), 0 } end
local s = call('HMGET', state, 'tokens', 'tokens_ms')
local now_ms = now_us(ARGV[3]) / 1000
local tokens = rate
if s[1] then
  local passed = math.max(now_ms - tonumber(s[2]), 0)
  tokens = math.min(tonumber(s[1]) + passed * rate / 1000, rate)
end
local granted = want < 0 and want or math.min(want, math.floor(tokens + 0.000001))
tokens = math.min(tokens - granted, rate)
call('HSET', state, 'tokens', format('%.6f', tokens), 'tokens_ms', format('%.3f', now_ms))
if granted ~= 0 or want == 0 then return { granted, 0 } end
return { 0, math.ceil((1 - tokens) * 1000 / rate) }
