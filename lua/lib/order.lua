-- order: the messages of each group in the order of sending.
--
--   order    zset, all scores 0, member  group \0 seq(16 digits), so that lex order is send order
local function member(group, seq) return group .. '\0' .. format('%016d', tonumber(seq)) end
local function member_seq(m) return int(tonumber(string.sub(m, -16))) end

local function members_of(order, group, count)
  return call('ZRANGEBYLEX', order, '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, count)
end
