#!lua flags=allow-oom
-- queues.purge: drop every message, whatever its state. Order and counters go on.
--
-- KEYS[1] state     hash
-- KEYS[2] outbox    stream   emptied, never deleted: its IDs must not go backwards
-- KEYS[3..]         log, inflight, delayed, first, order, groups, loads, dedup, moved,
--                   attempts, attempt_times, trials
-- ARGV[1] version
-- ARGV[2] interval_ms  refuse when the last purge is less ago; '' purges anyway
-- ARGV[3] token     names this purge: a repeat after a lost answer is answered as the first was
-- ARGV[4] now_ms    '' in production; the clock of a test
--
-- Reply   how many messages were dropped
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_PURGE_IN_PROGRESS
-- Cost    O(1): the memory is given back in the background
--@include lib/base

local state, token = KEYS[1], ARGV[3]
local s = call('HMGET', state, 'version', 'seq', 'deleted', 'purged')
local refusal = refuse(s[1], ARGV[1])
if refusal then return refusal end

-- The last purge: when (ms), its token, how many it dropped.
local now_ms = math.floor(now_us(ARGV[4]) / 1000)
local at, by, count = string.match(s[4] or '', '^(%d+) (%x+) (%d+)$')
if by == token then return tonumber(count) end
if at and ARGV[2] ~= '' then
  -- A clock that was set back since does not make anybody wait for longer than the interval.
  local passed = now_ms - tonumber(at)
  if passed >= 0 and passed < tonumber(ARGV[2]) then
    return redis.error_reply('RMQ_PURGE_IN_PROGRESS ' .. int(tonumber(ARGV[2]) - passed))
  end
end

local dropped = call('XLEN', KEYS[3])
call('HSET', state, 'cursor', s[2], 'deleted', int(tonumber(s[3]) + dropped), 'timer', '0',
  'purged', int(now_ms) .. ' ' .. token .. ' ' .. dropped)
if call('EXISTS', KEYS[2]) == 1 then call('XTRIM', KEYS[2], 'MAXLEN', 0) end
call('UNLINK', unpack(KEYS, 3))
return dropped
