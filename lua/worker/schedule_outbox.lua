#!lua flags=no-writes
-- worker.schedule_outbox: what was fired and is not in its queue yet, the oldest first.
--
-- KEYS[1] state      hash    see worker.schedule_look
-- KEYS[2] outbox     stream  seq -> name, moment, schedule
-- ARGV[1] most       1..100
--
-- Reply   the app's incarnation, then seq, name, moment, schedule and token of each
-- Errors  none
-- Cost    O(most)
--@include lib/base

local reply = { call('HGET', KEYS[1], 'incarnation') or '' }
for _, one in ipairs(call('XRANGE', KEYS[2], '-', '+', 'COUNT', tonumber(ARGV[1]))) do
  reply[#reply + 1] = string.match(one[1], '^%d+')
  local fields = one[2]
  for i = 2, 6, 2 do reply[#reply + 1] = fields[i] end
  reply[#reply + 1] = fields[8] or ''
end
return reply
