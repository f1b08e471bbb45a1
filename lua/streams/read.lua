#!lua flags=no-writes
-- streams.read: blocks of a shard from a position on, those that are not too old.
--
-- KEYS[1] state   hash
-- KEYS[2] log     stream  <position of the last record>-<count> -> block
-- ARGV[1] incarnation
-- ARGV[2] start   the first position
-- ARGV[3] max     how many records; 0 only looks where the shard is
-- ARGV[4] bytes   the block with which it is this many is the last
-- ARGV[5] valid_until_ms   until when that may be read; '' for ever
-- ARGV[6] now_ms  '' in production; the clock of a test
--
-- Reply   now (us), the first position that counts, the shard's last one, 1 when it is closed; then
--         of each block its id, its kind and the block
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_EXPIRED_ITERATOR
-- Cost    O(bytes)
--@include lib/base
--@include lib/shard

local log = KEYS[2]
local most, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
-- At most so many blocks are read to find that they are too much: 2 MiB.
local MOST_STEP = 32
local s = call('HMGET', KEYS[1], 'incarnation', 'last', 'closed', 'retention_ms', 'horizon')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
local now = now_us(ARGV[6])
if ARGV[5] ~= '' and now > tonumber(ARGV[5]) * 1000 then
  return redis.error_reply('RMQ_EXPIRED_ITERATOR ' .. int(math.floor(now / 1000)))
end

-- An entry's id is the position of its last record: the first entry from here on is the first that
-- has a record of interest.
local from = math.max(tonumber(ARGV[2]), now - tonumber(s[4]) * 1000, tonumber(s[5]) or 0)
local reply = { int(now), int(from), s[2], s[3] and 1 or 0 }
if most == 0 or from > tonumber(s[2]) then return reply end

local start, step, blocks, records, bytes = int(from), 1, 0, 0, 0
while true do
  local entries = call('XRANGE', log, start, '+', 'COUNT', step)
  for i = 1, #entries do
    local id, fields = entries[i][1], entries[i][2]
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = id, fields[1], fields[2]
    local last, count = string.match(id, '^(%d+)-(%d+)$')
    -- Of the first block some may lie before.
    records = records + math.min(tonumber(count), tonumber(last) - from + 1)
    bytes = bytes + #fields[2]
    if records >= most or bytes >= most_bytes then return reply end
  end
  if #entries < step then return reply end
  -- Ask for about as much as is still wanted, by what was found so far; what comes may be larger.
  blocks = blocks + #entries
  local wanted = math.min((most - records) / math.max(records, 1),
    (most_bytes - bytes) / math.max(bytes, 1)) * blocks
  step = math.max(1, math.min(MOST_STEP, 4 * step, math.floor(wanted)))
  start = '(' .. entries[#entries][1]
end
