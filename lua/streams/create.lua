#!lua
-- streams.create: write down a stream that is to be. Its shards are opened next, each in its slot;
-- streams.opened ends that.
--
-- KEYS[1] state    hash   version, status, created (us), next shard number
-- KEYS[2] config   hash   attribute -> text
-- KEYS[3] tags     hash
-- KEYS[4] shards   hash   number -> packed row
-- ARGV[1] version  the new stream's incarnation and number
-- ARGV[2] n        how many config pairs follow
-- ARGV[3] m        how many tag pairs follow those
-- ARGV[4..]        n config pairs, m tag pairs, then the row of shard 0, 1, ..
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_STREAM_EXISTS
-- Cost    O(attributes + tags + shards)
--@include lib/base

local state, config, tags, shards = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if call('EXISTS', state) == 1 then return redis.error_reply('RMQ_STREAM_EXISTS') end

local now = int(now_us(ARGV[#ARGV]))
local first_tag = 4 + 2 * tonumber(ARGV[2])
local first_row = first_tag + 2 * tonumber(ARGV[3])
for i = 4, first_tag - 2, 2 do call('HSET', config, ARGV[i], ARGV[i + 1]) end
for i = first_tag, first_row - 2, 2 do call('HSET', tags, ARGV[i], ARGV[i + 1]) end
for i = first_row, #ARGV - 1 do call('HSET', shards, int(i - first_row), ARGV[i]) end
call('HSET', state, 'version', ARGV[1], 'schema', '1', 'status', 'CREATING', 'created_us', now,
  'next', int(#ARGV - first_row))
return 1
