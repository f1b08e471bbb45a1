#!lua flags=allow-oom
-- streams.sweep: forget what is over in one shard, and tell what came to it lately.
--
-- KEYS[1] state         hash
-- KEYS[2] log           stream
-- KEYS[3] lanes         zset
-- ARGV[1] incarnation
-- ARGV[2] version       the number of the description; a shard that missed a change learns of it
-- ARGV[3] retention_ms
-- ARGV[4] every_ms      when to look again, and for how long the load is measured
-- ARGV[5] now_ms        '' in production; the clock of a test
--
-- Reply   how many blocks were removed, 1 when there may be more; 1 when it is closed and its last
--         record has expired; bytes and records a second of the last quarter of an hour, as far as
--         that was measured
-- Errors  RMQ_SHARD_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(1): 100 blocks and 100 lanes at most, or 2 MiB of large records
--@include lib/base
--@include lib/shard
--@include lib/retention

local state, log, lanes = KEYS[1], KEYS[2], KEYS[3]
local LANE_US = 3600 * 1000000
local FRESH_US = 900 * 1000000
local MOST, MOST_BYTES = 100, 2097152
local s = call('HMGET', state, 'incarnation', 'version', 'retention_ms', 'horizon', 'last', 'records',
  'bytes', 'large', 'base', 'load', 'closed')
local refusal = refuse_shard(s[1], ARGV[1])
if refusal then return refusal end
local now = now_us(ARGV[5])
local oldest = int(math.max(now - tonumber(s[3]) * 1000, tonumber(s[4]) or 0))
keep_for(state, s[2], s[3], s[4], ARGV[2], ARGV[3], now)

-- 1. Blocks of which every record has expired. `~` removes whole nodes of the log only, so that what
-- it costs does not depend on what stays; a few kilobytes may stay longer, which no read shows.
local removed, more = 0, false
local function trim()
  -- Freeing a large block takes as long as freeing a hundred others: those go one by one.
  if s[8] and tonumber(s[8]) >= 0 then
    local bytes = 0
    while removed < MOST and bytes < MOST_BYTES do
      local entry = call('XRANGE', log, '-', '(' .. oldest .. '-0', 'COUNT', 1)[1]
      if not entry then
        -- All there was of large ones is gone, once the last of them has expired.
        if tonumber(s[8]) < tonumber(oldest) then call('HDEL', state, 'large') end
        return
      end
      call('XDEL', log, entry[1])
      removed, bytes = removed + 1, bytes + #entry[2][2]
    end
    more = true
    return
  end
  removed = call('XTRIM', log, 'MINID', '~', oldest, 'LIMIT', MOST)
  more = removed > 0
end
trim()

-- 2. Lanes of who puts no more.
local idle = call('ZRANGEBYSCORE', lanes, '-inf', int(now - LANE_US), 'LIMIT', 0, 100)
for i = 1, #idle do
  local last = string.match(call('HGET', state, 'lane:' .. idle[i]) or '', '^%d+')
  if last and tonumber(last) > now - LANE_US then call('ZADD', lanes, last, idle[i])
  else
    call('HDEL', state, 'lane:' .. idle[i])
    call('ZREM', lanes, idle[i])
  end
end

-- 3. What came since it was last looked: a second, over the time in which something came. An interval
-- shorter than every_ms says nothing; the next look then covers it too.
local at, records, bytes, records_s, bytes_s =
  string.match(s[10] or '', '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
local since = tonumber(at) or tonumber(s[9])
local every_us = tonumber(ARGV[4]) * 1000
if now - since >= every_us then
  local seconds = math.max(every_us, math.min(now, tonumber(s[5])) - since) / 1000000
  records_s = int(math.ceil((tonumber(s[6]) - (tonumber(records) or 0)) / seconds))
  bytes_s = int(math.ceil((tonumber(s[7]) - (tonumber(bytes) or 0)) / seconds))
  at = int(now)
  call('HSET', state, 'load', table.concat({ at, s[6], s[7], records_s, bytes_s }, ' '))
end
call('HSET', state, 'sweep', int(more and 0 or now + every_us))
if not at or tonumber(at) < now - FRESH_US then records_s, bytes_s = 0, 0 end
local over = s[11] and tonumber(s[5]) < tonumber(oldest)
return { removed, more and 1 or 0, over and 1 or 0, tonumber(bytes_s), tonumber(records_s) }
