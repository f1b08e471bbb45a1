#!lua flags=allow-oom
-- worker.look: what is known of messages that were received before, and who has them now.
--
-- KEYS[1] trials   hash    see worker.note
-- ARGV[1] worker   who received them
-- ARGV[2] most     bytes of evidence that are kept for one message
-- ARGV[3..]        seq, receive_count, ..
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   per message failures, returned, evidence (a JSON object a line)
-- Errors  none
-- Cost    O(messages)
--@include lib/base

local trials, reply = KEYS[1], {}
local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
for i = 3, #ARGV - 2, 2 do
  local seq, count = ARGV[i], tonumber(ARGV[i + 1])
  local known = call('HMGET', trials, seq, seq .. ':holder', seq .. ':crashes')
  local failures, returned, noted = string.match(known[1] or '0 0 0', '^(%d+) (%d+) (%d+)$')
  local evidence = known[3] or ''
  local was, at, who = string.match(known[2] or '', '^(%d+) (%d+) (.*)$')
  -- The one before us took it and was never heard of again.
  if was and tonumber(was) == count - 1 and tonumber(noted) < count - 1 then
    local line = cjson.encode({ worker = who, at_ms = tonumber(at), what = 'its lease ended' })
    if #evidence + #line <= tonumber(ARGV[2]) then
      evidence = evidence .. line .. '\n'
      call('HSET', trials, seq .. ':crashes', evidence)
    end
  end
  call('HSET', trials, seq .. ':holder', int(count) .. ' ' .. int(now_ms) .. ' ' .. ARGV[1])
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = tonumber(failures), tonumber(returned), evidence
end
return reply
