#!lua flags=allow-oom
-- worker.group_end: a member of a group has ended. Whoever is told that it was the last one sends the
-- callback, and then says so (worker.group_close); until that was said, each repeat of any member is
-- told so again.
--
-- KEYS[1] state     hash    see worker.group_begin
-- KEYS[2] members   hash    place -> how it ended (JSON)
-- KEYS[3] ended     list    at most one token, which waiters hand on
-- ARGV[1] place     0..999; '' only looks
-- ARGV[2] outcome
-- ARGV[3] keep_ms   for how long the outcomes are kept
-- ARGV[4] expires   1 where the server's clock is the one that counts, and not a test's
--
-- Reply   how many have ended, how many there are (0: no such group), whether the callback is yet to be
--         sent, the callback, then the outcomes in their order where all have ended
-- Errors  none
-- Cost    O(1); O(members) for the last one
--@include lib/base

local state, members, ended = KEYS[1], KEYS[2], KEYS[3]
local s = call('HMGET', state, 'total', 'callback', 'closed', 'broken')
if not s[1] then return { 0, 0, 0, '' } end
local total = tonumber(s[1])
if ARGV[1] ~= '' then
  call('HSETNX', members, ARGV[1], ARGV[2])
  if ARGV[4] == '1' then
    call('PEXPIRE', members, ARGV[3])
    call('PEXPIRE', state, ARGV[3])
  end
end
local count = call('HLEN', members)
local is_whole = count == total
if not is_whole and not s[4] then return { count, total, 0, s[2] } end
local reply = { total, total, 0, s[2] }
if is_whole and not s[3] and s[2] ~= '' then reply[3] = 1 end
for i = 0, total - 1 do reply[#reply + 1] = call('HGET', members, int(i)) or s[4] end
if call('LLEN', ended) == 0 then
  call('LPUSH', ended, '1')
  if ARGV[4] == '1' then call('PEXPIRE', ended, ARGV[3]) end
end
return reply
