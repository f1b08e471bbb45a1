#!lua flags=allow-oom
-- streams.sweep_claim: who sweeps a stream, and decides how many shards it needs: one at a time, once
-- in a while. The number of the claim is a fence: what an earlier one decides is refused.
--
-- KEYS[1] state     hash
-- ARGV[1] every_ms  how soon the next one may
-- ARGV[2] anyway    1 to claim it also before that
-- ARGV[3] now_ms    '' in production; the clock of a test
--
-- Reply   the number of the claim; 0 when it is not time yet
-- Errors  RMQ_STREAM_DOES_NOT_EXIST
-- Cost    O(1)
--@include lib/base

local state = KEYS[1]
local s = call('HMGET', state, 'version', 'sweep_us', 'fence', 'created_us')
if not s[1] then return redis.error_reply('RMQ_STREAM_DOES_NOT_EXIST') end
local now = now_us(ARGV[3])
local every_us = tonumber(ARGV[1]) * 1000
if ARGV[2] ~= '1' and now < (tonumber(s[2]) or tonumber(s[4]) + every_us) then return 0 end
local fence = (tonumber(s[3]) or 0) + 1
call('HSET', state, 'fence', int(fence), 'sweep_us', int(now + every_us))
return fence
