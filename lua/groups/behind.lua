#!lua flags=no-writes
-- groups.behind: how much of a shard is not read yet, counted where that is cheap.
--
-- KEYS[1] state    hash
-- KEYS[2] log      stream  <position of the last record>-<count> -> block
-- ARGV[1] incarnation  of the stream
-- ARGV[2] position     of the first record that is not done
-- ARGV[3] blocks       how many are counted at most, 1..1000
-- ARGV[4] now_ms       '' in production; the clock of a test
--
-- Reply   how long ago (ms) the first record arrived that is not done, 0 when there is none; how many
--         there are, -1 when they are in more blocks than that
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(bytes of the blocks), 1 MiB at most and the last block
--@include lib/base
--@include lib/shard

local state, log = KEYS[1], KEYS[2]
local s = call('HMGET', state, 'incarnation', 'last', 'retention_ms')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
local now, last = now_us(ARGV[4]), tonumber(s[2])
local from = math.max(tonumber(ARGV[2]), now - tonumber(s[3]) * 1000)
if from > last then return { 0, 0 } end

local MOST_BYTES, STEP = 1048576, 8
local first, count, bytes, blocks, start = nil, 0, 0, 0, int(from)
while true do
  local entries = call('XRANGE', log, start, '+', 'COUNT', STEP)
  for i = 1, #entries do
    local at, records = string.match(entries[i][1], '^(%d+)-(%d+)$')
    at, records = tonumber(at), tonumber(records)
    -- An entry's id is the position of its last record. That of a shard's end has no records.
    local begin = math.max(at - records + 1, from)
    if records > 0 then first = first or begin end
    count, bytes, blocks = count + at - begin + 1, bytes + #entries[i][2][2], blocks + 1
  end
  if #entries < STEP then break end
  if blocks >= tonumber(ARGV[3]) or bytes >= MOST_BYTES then
    count = -1
    break
  end
  start = '(' .. entries[#entries][1]
end
-- Times of arrival are whole milliseconds.
local since = first and math.floor(now / 1000) - math.floor(first / 1000) or 0
return { int(math.max(since, 0)), int(count) }
