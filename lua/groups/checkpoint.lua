#!lua flags=allow-oom
-- groups.checkpoint: note how far shards were read, by who holds their leases; keep them or let go.
--
-- KEYS[1] state    hash
-- KEYS[2] leases   hash  shard -> row
-- KEYS[3] workers  hash  worker -> when its heartbeat ends (ms), how many shards it takes at most
-- ARGV[1] worker
-- ARGV[2..]        number, token, position, sub, then hold or release, ..; position E: read to its end
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   of each 1, or 2 when it is to be handed over, 0 when the lease is lost, -1 when it was read
--         further already
-- Errors  RMQ_GROUP_DOES_NOT_EXIST
-- Cost    O(shards given), 500 at most
--@include lib/base
--@include lib/group

local state, leases, workers = KEYS[1], KEYS[2], KEYS[3]
if call('EXISTS', state) == 0 then return redis.error_reply('RMQ_GROUP_DOES_NOT_EXIST') end
local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
local me, reply = ARGV[1], {}

-- Who was asked for takes over at once, if it lives.
local function let_go(row)
  local ends = row.want ~= '-' and call('HGET', workers, row.want)
  if ends and tonumber(string.match(ends, '^%d+')) > now_ms then
    row.owner, row.token, row.since = row.want, call('HINCRBY', state, 'token', 1), 0
    row.switches = row.switches + 1
  else
    row.owner, row.since = '-', now_ms
  end
  row.want = '-'
end

for i = 2, #ARGV - 2, 5 do
  local number, position, sub = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local text, answer = call('HGET', leases, number), 0
  local row = text and read_row(text)
  if row and row.token == tonumber(ARGV[i + 1]) then
    if row.position == 'E' then
      -- A repeat: the answer was lost.
      if position == 'E' then answer = 1 end
    elseif row.owner == me then
      local at = tonumber(row.position)
      if position == 'E' then
        answer = 1
        row.position, row.sub, row.owner, row.want, row.since = 'E', '0', '-', '-', 0
      elseif tonumber(position) < at
        or (tonumber(position) == at and tonumber(sub) < tonumber(row.sub)) then
        answer = -1
      else
        answer = row.want == '-' and 1 or 2
        if position ~= row.position or sub ~= row.sub then row.switches = 0 end
        row.position, row.sub = position, sub
        if ARGV[i + 4] == 'release' then let_go(row) end
      end
      if answer > 0 then call('HSET', leases, number, pack_row(row)) end
    end
  end
  reply[#reply + 1] = answer
end
return reply
