#!lua
-- streams.commit_account: enable or disable an account's minimum throughput commitment.
--
-- KEYS[1] account  hash
-- ARGV[1] enabled  1 or 0; '' only looks
-- ARGV[2] least_ms for how long it lasts at least
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   status, when it was started, when it ended (ms; '' for never)
-- Errors  none
-- Cost    O(1)
--@include lib/base

local account = KEYS[1]
local now_ms = math.floor(now_us(ARGV[3]) / 1000)
local s = call('HMGET', account, 'started_ms', 'ended_ms')
local started, ended = tonumber(s[1]), tonumber(s[2])
-- Disabled too early it ends by itself, later: `ended_ms` may lie ahead.
local running = started and (not ended or now_ms < ended)
if ARGV[1] == '1' then
  if not running then
    started = now_ms
    call('HSET', account, 'started_ms', int(started))
  end
  ended, running = nil, true
  call('HDEL', account, 'ended_ms')
elseif ARGV[1] == '0' and running and not ended then
  ended = math.max(now_ms, started + tonumber(ARGV[2]))
  call('HSET', account, 'ended_ms', int(ended))
  running = now_ms < ended
end
local status = running and (ended and 'ENABLED_UNTIL_EARLIEST_ALLOWED_END' or 'ENABLED') or 'DISABLED'
return { status, started and int(started) or '', ended and int(ended) or '' }
