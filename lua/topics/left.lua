#!lua flags=no-writes
-- topics.left: whether a topic waits for somebody to come by.
--
-- KEYS[1] state    hash
-- KEYS[2] outbox   stream
-- KEYS[3] cursors  hash    FIFO: id -> seq up to which it was given everything
-- ARGV[1] age_ms   of what was left by a publisher
-- ARGV[2] is_fifo  1 or 0
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   1 or 0; 0 too for a topic that is gone
-- Errors  none
-- Cost    O(1), on a FIFO topic O(subscriptions), at most 100
--@include lib/base

local s = call('HMGET', KEYS[1], 'version', 'seq', 'sweep')
if not s[1] then return 0 end
local now = now_us(ARGV[3])
if s[3] and now >= tonumber(s[3]) then return 1 end
if ARGV[2] == '0' then
  local before = now - tonumber(ARGV[1]) * 1000
  if before < 0 then return 0 end
  return #call('XRANGE', KEYS[2], '-', int(before), 'COUNT', 1)
end
if call('XLEN', KEYS[2]) == 0 then return 0 end
for _, cursor in ipairs(call('HVALS', KEYS[3])) do
  if tonumber(cursor) < tonumber(s[2]) then return 1 end
end
return 0
