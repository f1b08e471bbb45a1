#!lua
-- topics.create: make a topic, or hand back the one that stands there.
--
-- KEYS[1] state    hash   version, seq, number of the last change of a subscription, totals
-- KEYS[2] config   hash   attribute -> text
-- KEYS[3] tags     hash
-- ARGV[1] version  the new topic's incarnation and config number
-- ARGV[2] n        how many config pairs follow
-- ARGV[3..]        n config pairs, then tag pairs
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   1 when made; else the existing tags as key, value, ..
-- Errors  none
-- Cost    O(attributes)
--@include lib/base

local state, config, tags = KEYS[1], KEYS[2], KEYS[3]
local SWEEP_MS = 60000
if call('EXISTS', state) == 1 then return call('HGETALL', tags) end

local now = int(math.floor(now_us(ARGV[#ARGV]) / 1000))
local last = 2 + 2 * tonumber(ARGV[2])
local pairs_ = { 'created_ms', now, 'modified_ms', now }
for i = 3, last do pairs_[#pairs_ + 1] = ARGV[i] end
call('HSET', config, unpack(pairs_))
if #ARGV - 1 > last then call('HSET', tags, unpack(ARGV, last + 1, #ARGV - 1)) end
call('HSET', state, 'version', ARGV[1], 'schema', '1', 'seq', '0', 'number', '0', 'published', '0',
  'bytes', '0', 'left', '0', 'invalid', '0', 'bare', '0', 'policies', '0', 'listened', '0',
  'sweep', int((tonumber(now) + SWEEP_MS) * 1000))
return 1
