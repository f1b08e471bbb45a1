-- fair: whose turn it is on a standard queue that holds message groups. The next message is the
-- oldest one of the group that has the fewest in flight.
--
--   order    zset, see lib/order: the messages that a receive may hand out, and no others
--   groups   zset, seq(16 digits) of its oldest such message .. group -> how many of the group are
--            in flight. By score and then by member, the first one is the next turn
--   loads    hash, group -> how many are in flight, and the seq beside it in groups (none: '')
--
-- In flight is what has a lease in `inflight`. One that ran out counts until a receive has brought
-- its message back into the order; what is left of it then is its receive count, a score below LEASED.
local LEASED = 2048

-- One function holds all of it, and is called only where there are groups: each one that stood here
-- would be made anew by every script call, and whoever has no groups pays nothing.
-- Changes are noted, and written by flush(): a command for each kind, not for each message.
local function fair_index(order, groups, loads)
--@include lib/order
  local index, names, changes, joined, left = {}, {}, {}, {}, {}

  -- Messages without a group are the group ''. It is nobody's noise: it never has any in flight, so
  -- they are served by age among themselves and among groups that have none in flight either.
  local function weight(group) return group == '' and 0 or 1 end

  local function change(group)
    local one = changes[group]
    if not one then
      one = { shift = 0 }
      changes[group], names[#names + 1] = one, group
    end
    return one
  end

  -- More or fewer messages of a group are in flight.
  function index.shift(group, by)
    local one = change(group)
    one.shift = one.shift + by * weight(group)
  end

  -- A message may be received from now on.
  function index.join(group, seq)
    local one, n = change(group), tonumber(seq)
    if not one.joined or n < one.joined then one.joined = n end
    joined[#joined + 1] = '0'
    joined[#joined + 1] = member(group, seq)
  end

  -- A message may no longer be received, whether or not it could be before.
  function index.leave(group, seq)
    local one = change(group)
    one.left = one.left or {}
    one.left[tonumber(seq)] = true
    left[#left + 1] = member(group, seq)
  end

  -- A message that leaves the queue, whatever its state; *lease* is its score in `inflight`, if any.
  function index.drop(group, seq, lease)
    if lease and tonumber(lease) >= LEASED then index.shift(group, -1)
    else index.leave(group, seq) end
  end

  -- A group has so many in flight now and this head (the digits of its seq, '' for none), and had
  -- that one before.
  local removed, old, turns, stored, idle = {}, {}, {}, {}, {}
  local function place(group, load, head, was)
    if was ~= '' and was ~= head then old[#old + 1] = was .. group end
    if head ~= '' then
      turns[#turns + 1] = load
      turns[#turns + 1] = head .. group
    elseif load == 0 then
      idle[#idle + 1] = group
      return
    end
    stored[#stored + 1] = group
    stored[#stored + 1] = load .. ' ' .. head
  end

  local function write()
    if #removed > 0 then call('ZREM', order, unpack(removed)) end
    if #old > 0 then call('ZREM', groups, unpack(old)) end
    if #turns > 0 then call('ZADD', groups, unpack(turns)) end
    if #stored > 0 then call('HSET', loads, unpack(stored)) end
    if #idle > 0 then call('HDEL', loads, unpack(idle)) end
    removed, old, turns, stored, idle = {}, {}, {}, {}, {}
  end

  -- Take the next *want* messages by turns, each in flight before the next is chosen. What was sent
  -- before *horizon* has expired; it is taken out and counts for nobody.
  -- Returns the seqs and groups of the one, the seqs of the other.
  function index.turns(want, horizon)
    local seqs, whose, expired, heap, met = {}, {}, {}, {}, {}
    -- No later group can have its turn before all of these had theirs.
    local found = call('ZRANGE', groups, 0, want - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      local head, group = string.sub(found[i], 1, 16), string.sub(found[i], 17)
      heap[#heap + 1] = { group = group, load = tonumber(found[i + 1]), weight = weight(group),
        was = head, head = head, seq = tonumber(head), stop = '(' .. group .. '\1', at = 1, ahead = {} }
    end
    local step = math.ceil(want / math.max(#heap, 1))
    while #seqs < want and heap[1] and #expired < want do
      local turn = heap[1]
      local here = turn.group .. '\0' .. turn.head
      met[turn] = true
      removed[#removed + 1] = here
      if turn.seq <= horizon then expired[#expired + 1] = int(turn.seq)
      else
        seqs[#seqs + 1], whose[#whose + 1] = int(turn.seq), turn.group
        turn.load = turn.load + turn.weight
      end
      -- Who comes behind it in its group.
      local behind = turn.ahead[turn.at]
      if not behind then
        turn.at, turn.ahead = 1, call('ZRANGEBYLEX', order, '(' .. here, turn.stop, 'LIMIT', 0, step)
        behind = turn.ahead[1]
      end
      turn.at = turn.at + 1
      turn.head = behind and string.sub(behind, -16) or ''
      turn.seq = tonumber(turn.head)
      if not behind then
        local last = #heap
        heap[1] = heap[last]
        heap[last] = nil
      end
      -- The groups came in order, which makes them a heap; only the first is out of place now.
      local spot, size = 1, #heap
      repeat
        local low = spot
        for child = 2 * spot, math.min(2 * spot + 1, size) do
          local a, b = heap[child], heap[low]
          if a.load < b.load or (a.load == b.load and a.seq < b.seq) then low = child end
        end
        local settled = low == spot
        heap[spot], heap[low], spot = heap[low], heap[spot], low
      until settled
    end
    for turn in pairs(met) do place(turn.group, turn.load, turn.head, turn.was) end
    write()
    return seqs, whose, expired
  end

  -- Whether the queue ran empty. It then is like one that never had groups, until the next one comes.
  function index.over(state, log)
    if call('XLEN', log) > 0 then return false end
    call('UNLINK', order, groups, loads)
    call('HDEL', state, 'fair_from')
    return true
  end

  function index.flush()
    if #names == 0 then return end
    if #left > 0 then call('ZREM', order, unpack(left)) end
    if #joined > 0 then call('ZADD', order, unpack(joined)) end
    local known = call('HMGET', loads, unpack(names))
    for i = 1, #names do
      local group, one = names[i], changes[names[i]]
      local count, was = string.match(known[i] or '0 ', '^(%d+) (%d*)$')
      local head, first = was, tonumber(was)
      if first and one.left and one.left[first] then
        local member_ = members_of(order, group, 1)[1]
        head = member_ and string.sub(member_, -16) or ''
      elseif one.joined and (not first or one.joined < first) then
        head = format('%016d', one.joined)
      end
      if head ~= was or one.shift ~= 0 then
        place(group, math.max(tonumber(count) + one.shift, 0), head, was)
      end
    end
    write()
    names, changes, joined, left = {}, {}, {}, {}
  end

  return index
end
