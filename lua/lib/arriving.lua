-- arriving: what a queue took from a FIFO topic.
--
-- A topic has one order, in which seqs only grow and none is left out: whatever is not above the last
-- one taken was taken before. Each time the subscription's cursor is set (it is made, a replay begins)
-- the messages come on a new line, with a higher number, which begins anew. What still comes on an
-- older line is from a relayer that does not know yet: nothing of it is taken.

-- The last seq that was taken on this line; beyond all for a line that has ended.
local function taken_from(relayed, source, incarnation, line)
  local known = call('HGET', relayed, source)
  local whose, number, last = string.match(known or '', '^(%x+) (%d+) (%d+)$')
  if whose ~= incarnation or tonumber(number) < tonumber(line) then return 0 end
  if tonumber(number) > tonumber(line) then return math.huge end
  return tonumber(last)
end
