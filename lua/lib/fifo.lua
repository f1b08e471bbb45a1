-- fifo: the moment at which a group may be received again.
--
--   groups   zset, group -> ms from which its head can be received; a locked group's is its lease
-- When a message that was never received may be. Without a delay that is at once, also where a
-- burst has pushed seq ahead of the clock.
local function ripe_ms(seq, delay_ms)
  if delay_ms == 0 then return 0 end
  return math.floor(tonumber(seq) / 1000) + delay_ms
end

-- Recompute a group's moment after one of its messages left or changed its lease. Received
-- messages are always a prefix of the group, so the walk ends at the first one never received.
-- The group stays locked until the last of them is gone or due. Who has many groups to see to looks
-- at no more than *most* messages of each; a longer lock than that then stays as it is.
local function settle(order, groups, inflight, group, now_ms, delay_ms, most)
  local moment, from, seen, step = now_ms, '[' .. group .. '\0', 0, 1
  repeat
    -- Mostly the head is free, and one look is enough.
    local members = call('ZRANGEBYLEX', order, from, '(' .. group .. '\1', 'LIMIT', 0, step)
    step = math.min(10, most or 10)
    if #members == 0 then break end
    local seqs = {}
    for i = 1, #members do seqs[i] = member_seq(members[i]) end
    local scores = call('ZMSCORE', inflight, unpack(seqs))
    for i = 1, #members do
      seen = seen + 1
      if not scores[i] then
        if seen == 1 then moment = math.max(moment, ripe_ms(seqs[1], delay_ms)) end
        call('ZADD', groups, int(moment), group)
        return
      end
      moment = math.max(moment, lease_due(scores[i]))
    end
    from = '(' .. members[#members]
  until seen >= (most or 1000)
  if seen >= (most or 1000) then moment = math.max(moment, tonumber(call('ZSCORE', groups, group) or 0)) end
  if seen == 0 then call('ZREM', groups, group)
  else call('ZADD', groups, int(moment), group) end
end
