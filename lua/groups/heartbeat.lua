#!lua flags=allow-oom
-- groups.heartbeat: a worker says that it lives and learns which shards are its own. What dead workers
-- had is free; it is given free ones up to its share, and asks for what others have too many of.
--
-- KEYS[1] state    hash
-- KEYS[2] leases   hash  shard -> row
-- KEYS[3] workers  hash  worker -> when its heartbeat ends (ms), how many shards it takes at most
-- ARGV[1] incarnation  of the stream
-- ARGV[2] worker
-- ARGV[3] lease_ms     its heartbeat ends so much later, and with it all its leases
-- ARGV[4] most         shards that it takes at most; 0 when it is stopping
-- ARGV[5] alarm_ms     a shard that could have an owner and has none for so long is told
-- ARGV[6] now_ms       '' in production; the clock of a test
--
-- Reply   first shard without a lease, when to come again (ms), workers, how many shards are its own;
--         of each its number, token, position, sub, 1 when it is to be handed over; then number and
--         ms of each that is told
-- Errors  RMQ_GROUP_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(leases + workers * log workers)
--@include lib/base
--@include lib/group

local state, leases, workers = KEYS[1], KEYS[2], KEYS[3]
local me, lease_ms, alarm_ms = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local group = call('HMGET', state, 'incarnation', 'next_shard')
if not group[1] then return redis.error_reply('RMQ_GROUP_DOES_NOT_EXIST') end
if group[1] ~= ARGV[1] then return redis.error_reply('RMQ_STALE_CONFIG') end
local now_ms = math.floor(now_us(ARGV[6]) / 1000)

-- 1. Who lives, and how much each takes.
call('HSET', workers, me, int(now_ms + lease_ms) .. ' ' .. ARGV[4])
local found, most, load, caps = call('HGETALL', workers), {}, {}, {}
for i = 1, #found, 2 do
  local ends, cap = string.match(found[i + 1], '^(%d+) (%d+)$')
  if tonumber(ends) <= now_ms then call('HDEL', workers, found[i])
  else
    most[found[i]], load[found[i]] = tonumber(cap), 0
    caps[#caps + 1] = tonumber(cap)
  end
end

-- 2. Who has what. A lease that is about to be handed over counts for who gets it. Most rows are
--    somebody's who lives: of these no more is read than that.
local all, numbers, owner, want, position, rows = call('HGETALL', leases), {}, {}, {}, {}, {}
for i = 1, #all, 2 do
  local number = all[i]
  numbers[#numbers + 1] = number
  owner[number], want[number], position[number] = string.match(all[i + 1], OWNER)
  if position[number] ~= 'E'
    and (not most[owner[number]] or owner[number] == me or want[number] ~= '-') then
    rows[number] = read_row(all[i + 1])
  end
end
local active, free, changed = 0, {}, {}
for _, number in ipairs(numbers) do
  if position[number] ~= 'E' then
    local row = rows[number]
    if row and row.want ~= '-' and not (most[row.want] and most[row.owner]) then
      row.want, want[number], changed[number] = '-', '-', true
    end
    if most[owner[number]] then
      local to = want[number] ~= '-' and want[number] or owner[number]
      active, load[to] = active + 1, load[to] + 1
    else
      if row.owner ~= '-' then row.owner, owner[number], changed[number] = '-', '-', true end
      local ready = true
      for parent in string.gmatch(row.parents, '%d+') do
        ready = ready and (not position[parent] or position[parent] == 'E')
      end
      if ready then
        active = active + 1
        free[#free + 1] = tonumber(number)
        if row.since == 0 then row.since, changed[number] = now_ms, true end
      end
    end
  end
end

-- 3. The share: as many as everybody has when all are dealt out evenly, but nobody more than it takes.
table.sort(caps)
local share, left = active, active
for i = 1, #caps do
  local even = math.ceil(left / (#caps - i + 1))
  if caps[i] >= even then
    share = even
    break
  end
  left = left - caps[i]
end
share = math.min(share, most[me])

-- 4. Take what is free, then ask for what others have too many of.
table.sort(free)
local lone = {}
for _, n in ipairs(free) do
  local number = int(n)
  local row = rows[number]
  if load[me] < share then
    row.owner, row.token, row.switches = me, call('HINCRBY', state, 'token', 1), row.switches + 1
    row.since, row.want, owner[number], changed[number] = 0, '-', me, true
    load[me] = load[me] + 1
  else
    lone[#lone + 1] = number
  end
end
if load[me] < share then
  -- What is on its way already comes last, and is taken first.
  local by = {}
  for _, moves in ipairs({ false, true }) do
    for _, number in ipairs(numbers) do
      local who, to = owner[number], want[number]
      if who ~= '-' and who ~= me and position[number] ~= 'E' and (to ~= '-') == moves then
        if to == '-' then to = who end
        by[to] = by[to] or {}
        table.insert(by[to], number)
      end
    end
  end
  while load[me] < share do
    local who, top = nil, load[me] + 1
    for worker, count in pairs(load) do
      if worker ~= me and by[worker] and #by[worker] > 0
        and (count > top or (count == top and who and worker < who)) then
        who, top = worker, count
      end
    end
    if not who then break end
    local number = table.remove(by[who])
    want[number], changed[number] = me, true
    load[who], load[me] = load[who] - 1, load[me] + 1
  end
end

-- 5. Write, and tell.
local texts = {}
for i = 1, #all, 2 do texts[all[i]] = changed[all[i]] and all[i + 1] or nil end
for number in pairs(changed) do
  local row = rows[number] or read_row(texts[number])
  row.want = want[number]
  call('HSET', leases, number, pack_row(row))
end
local reply, mine, waits = { group[2], '', #caps, 0 }, 0, false
for _, number in ipairs(numbers) do
  if want[number] == me then waits = true end
  if owner[number] == me then
    local row = rows[number]
    mine = mine + 1
    reply[#reply + 1] = number
    reply[#reply + 1] = int(row.token)
    reply[#reply + 1] = row.position
    reply[#reply + 1] = row.sub
    reply[#reply + 1] = row.want == '-' and 0 or 1
  end
end
-- Who waits for a hand-over looks more often.
reply[2], reply[4] = int(math.ceil(lease_ms / (waits and 10 or 3))), mine
for _, number in ipairs(lone) do
  local alone_ms = now_ms - rows[number].since
  if alone_ms >= alarm_ms then
    reply[#reply + 1] = number
    reply[#reply + 1] = int(alone_ms)
  end
end
return reply
