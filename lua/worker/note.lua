#!lua flags=allow-oom
-- worker.note: say what became of a receive that did not end in a delete.
--
-- Receives that nobody speaks for are crashes: a worker that is killed says nothing. So failures and
-- crashes are told apart without a write for any message that just succeeds.
--
-- KEYS[1] trials   hash    seq -> "failures returned noted": how many receives failed, how many were
--                          given back untried, and the last receive that was spoken for;
--                          seq:holder -> "receive ms worker"; seq:crashes -> a JSON object a line
-- ARGV[1] most     bytes of evidence that are kept for one message
-- ARGV[2..]        seq, receive_count, kind (f failed, r returned, c crashed), evidence (a JSON
--                  object or ''), ..
--
-- Reply   per message 1 noted, 0 that receive was spoken for before
-- Errors  none
-- Cost    O(messages)
local call = redis.call
local MOST = 2047
local trials, reply = KEYS[1], {}
for i = 2, #ARGV, 4 do
  local seq, count, kind, evidence = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local known = call('HMGET', trials, seq, seq .. ':crashes')
  local failures, returned, noted = string.match(known[1] or '0 0 0', '^(%d+) (%d+) (%d+)$')
  -- A receive count goes no further than MOST: from there on each word counts.
  if count <= tonumber(noted) and count < MOST then reply[#reply + 1] = 0
  else
    if kind == 'f' then failures = tonumber(failures) + 1 end
    if kind == 'r' then returned = tonumber(returned) + 1 end
    call('HSET', trials, seq, string.format('%d %d %d', failures, returned, count))
    local before = known[2] or ''
    if evidence ~= '' and #before + #evidence <= tonumber(ARGV[1]) then
      call('HSET', trials, seq .. ':crashes', before .. evidence .. '\n')
    end
    reply[#reply + 1] = 1
  end
end
return reply
