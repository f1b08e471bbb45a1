#!lua flags=allow-oom
-- topics.ready_claim: claim what is due, so that no other dispatcher looks at it, and renew claims.
--
-- KEYS[1] ready    zset  queue and topic -> when to look at it (ms)
-- KEYS[2] wake     list  at most one token
-- ARGV[1] max      how many, 1..1000
-- ARGV[2] claim_ms
-- ARGV[3] wait_ms  how long the caller will wait when nothing is due; 0 for not
-- ARGV[4..]        queue and topic, when its claim ends (ms), ..: claims to renew; -1 to leave it to
--                  others
-- ARGV[#] now_ms   '' in production; the clock of a test
--
-- Reply   when the claims end (ms), ms until something else is due (-1: nothing is known, -2: what is
--         left to others is due), then queue and topic of what was claimed; of a renewed claim nothing is said, but what was
--         marked meanwhile is claimed anew, and given
-- Errors  none
-- Cost    O((max + claims) * log N)
--@include lib/base

local ready, wake, most = KEYS[1], KEYS[2], tonumber(ARGV[1])
local now_ms = math.floor(now_us(ARGV[#ARGV]) / 1000)
local ends = int(now_ms + tonumber(ARGV[2]))
-- 1. A claim that nobody touched goes on; one with a newer mark is due again below.
local others, offers = {}, 0
for i = 4, #ARGV - 2, 2 do
  if ARGV[i + 1] == '-1' then
    others[ARGV[i]] = true
    offers = offers + 1
  else
    local score = call('ZSCORE', ready, ARGV[i])
    if score and tonumber(score) == tonumber(ARGV[i + 1]) then call('ZADD', ready, ends, ARGV[i]) end
  end
end
-- 2. What is due.
local reply = { ends, '-1' }
local due = call('ZRANGEBYSCORE', ready, '-inf', int(now_ms), 'LIMIT', 0, most + 1 + offers)
local claims, found, left = {}, 0, false
for i = 1, #due do
  if others[due[i]] then left = true
  else
    found = found + 1
    if found <= most then
      claims[#claims + 1] = ends
      claims[#claims + 1] = due[i]
      reply[#reply + 1] = due[i]
    end
  end
end
if #claims > 0 then call('ZADD', ready, unpack(claims)) end
-- 3. A token is for what is left; with nothing left it is stale.
if found > most or left then
  reply[2] = found > most and '0' or '-2'
  if call('LLEN', wake) == 0 then call('LPUSH', wake, '1') end
else
  local soonest = call('ZRANGE', ready, 0, 0, 'WITHSCORES')[2]
  if soonest then reply[2] = int(math.max(tonumber(soonest) - now_ms, 1)) end
  if ARGV[3] ~= '0' then call('DEL', wake) end
end
return reply
