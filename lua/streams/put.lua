#!lua
-- streams.put: append blocks of records to a shard, all of them; where there is a rate limit, as
-- many records as it lets through.
--
-- KEYS[1] state   hash
-- KEYS[2] log     stream  <position of the last record>-<count> -> block
-- KEYS[3] lanes   zset    lane -> when it was first used; for the sweep
-- ARGV[1] incarnation
-- ARGV[2] version     the number of the description that the caller knows
-- ARGV[3] lane        one caller's unbroken line of puts; it has one call under way at a time
-- ARGV[4] seen        the first position of this lane's last call that was answered; 0 for none
-- ARGV[5] above       positions have to be above this one too; 0 for any
-- ARGV[6] kind        field of the entries: r for records, k for records of an encrypted stream
-- ARGV[7] bytes_rate  a second; '' for any
-- ARGV[8] records_rate   a second; '' for any
-- ARGV[9] burst       bytes that a shard which rested takes at once
-- ARGV[10..]          of each block: count, block, and where there is a rate limit the size and the
--                     packed size of each of its records, with spaces between ('' otherwise)
-- ARGV[#] now_ms      '' in production; the clock of a test
--
-- Reply   first position (the others follow it one by one), how many records were taken, 1 when a
--         sweep is due
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_SHARD_CLOSED
-- Cost    O(bytes); with a rate limit O(bytes + records)
--@include lib/base
--@include lib/shard

local state, log, lanes = KEYS[1], KEYS[2], KEYS[3]
-- A block of one record that is larger: the sweep has to know that there are such ones.
local LARGE = 65536
local lane = 'lane:' .. ARGV[3]
local s = call('HMGET', state, 'incarnation', 'version', 'last', 'closed', 'records', 'bytes',
  'sweep', lane)
-- The answer to this very call was lost on the way: it has been done already, whatever was changed
-- since. Refused now, it would be done again in a child of this shard.
if s[1] == ARGV[1] and s[8] then
  local first, taken = string.match(s[8], '^(%d+) (%d+)$')
  if tonumber(first) > tonumber(ARGV[4]) then return { first, tonumber(taken), 0 } end
end
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
if tonumber(s[2]) > tonumber(ARGV[2]) then return redis.error_reply('RMQ_STALE_CONFIG') end
if s[4] then return redis.error_reply('RMQ_SHARD_CLOSED') end

local now = now_us(ARGV[#ARGV])
local first = math.max(now, tonumber(s[3]) + 1, tonumber(ARGV[5]) + 1)

-- 1. How many the rate limit lets through: those at the front, up to the first that is too much.
local free_bytes, free_records = tonumber(ARGV[7]), tonumber(ARGV[8])
local limited = free_bytes or free_records
if limited then
  local rate = call('HMGET', state, 'rate_us', 'rate_bytes', 'rate_records')
  local passed_s = math.max(now - (tonumber(rate[1]) or 0), 0) / 1000000
  free_bytes = free_bytes
    and math.min((tonumber(rate[2]) or 0) + passed_s * free_bytes, tonumber(ARGV[9]))
  free_records = free_records
    and math.min((tonumber(rate[3]) or 0) + passed_s * free_records, free_records)
end
local function take(block, count, sizes)
  -- A MessagePack array: its head has 1 byte where there are few items, 3 otherwise.
  local head = string.byte(block) == 220 and 3 or 1
  local at, taken = head, 0
  for size, packed in string.gmatch(sizes, '(%d+) (%d+)') do
    size = tonumber(size)
    if free_bytes and size > free_bytes or free_records and free_records < 1 then
      if taken == 0 then return '', 0 end
      local items = 2 * taken
      return string.char(220, math.floor(items / 256), items % 256)
        .. string.sub(block, head + 1, at), taken
    end
    free_bytes = free_bytes and free_bytes - size
    free_records = free_records and free_records - 1
    taken, at = taken + 1, at + tonumber(packed)
  end
  return block, taken
end

-- 2. Write.
local last, bytes = first - 1, 0
for i = 10, #ARGV - 3, 3 do
  local block, count = ARGV[i + 1], tonumber(ARGV[i])
  local taken = count
  if limited then block, taken = take(block, count, ARGV[i + 2]) end
  if taken > 0 then
    last, bytes = last + taken, bytes + #block
    call('XADD', log, int(last) .. '-' .. int(taken), ARGV[6], block)
    if #block > LARGE then call('HSET', state, 'large', int(last)) end
  end
  if taken < count then break end
end
local total = last - first + 1
if limited then
  call('HSET', state, 'rate_us', int(now), 'rate_bytes', int(math.floor(free_bytes or 0)),
    'rate_records', format('%.6f', free_records or 0))
end
if total > 0 then
  if not s[8] then call('ZADD', lanes, int(now), ARGV[3]) end
  call('HSET', state, 'last', int(last), 'records', int(tonumber(s[5]) + total),
    'bytes', int(tonumber(s[6]) + bytes), lane, int(first) .. ' ' .. int(total))
end
return { int(first), total, now >= tonumber(s[7]) and 1 or 0 }
