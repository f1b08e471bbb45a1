#!lua
-- queues.create: make a queue, or hand back the one that stands there.
--
-- KEYS[1] state      hash   version, seq, cursor, counters
-- KEYS[2] config     hash   attribute -> text
-- KEYS[3] tags       hash
-- KEYS[4] tombstone  string when the queue of this name was deleted (ms)
-- ARGV[1] version    the new queue's incarnation and config number
-- ARGV[2] reuse_ms   refuse when the tombstone is younger; '' does not look at it
-- ARGV[3] n          how many config pairs follow
-- ARGV[4..]          n config pairs, then tag pairs
-- ARGV[#] now_ms     '' in production; the clock of a test
--
-- Reply   1 when made; else the existing config, as field, value, ..
-- Errors  RMQ_QUEUE_DELETED_RECENTLY
-- Cost    O(attributes)
--@include lib/base

local state, config, tags, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if call('EXISTS', state) == 1 then return call('HGETALL', config) end

local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
if ARGV[2] ~= '' then
  local deleted = call('GET', tombstone)
  -- One from the future is of a clock that was set back since; nobody waits for that.
  local passed = deleted and now_ms - tonumber(deleted) or -1
  if passed >= 0 and passed < tonumber(ARGV[2]) then
    return redis.error_reply('RMQ_QUEUE_DELETED_RECENTLY ' .. int(tonumber(ARGV[2]) - passed))
  end
  if deleted then call('UNLINK', tombstone) end
end
local now = int(now_ms)
local last = 3 + 2 * tonumber(ARGV[3])
local pairs_ = { 'created_ms', now, 'modified_ms', now }
for i = 4, last do pairs_[#pairs_ + 1] = ARGV[i] end
call('HSET', config, unpack(pairs_))
if #ARGV - 1 > last then call('HSET', tags, unpack(ARGV, last + 1, #ARGV - 1)) end
call('HSET', state, 'version', ARGV[1], 'schema', '1', 'seq', '0', 'cursor', '0', 'sent', '0',
  'received', '0', 'deleted', '0', 'moved', '0', 'expired', '0', 'bytes', '0', 'waiting', '0',
  'sweep', '0', 'timer', '0', 'delayed_to', '0', 'keep_until', '0')
return 1
