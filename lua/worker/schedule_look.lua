#!lua
-- worker.schedule_look: take or renew the lease of the scheduler, and see what is due.
--
-- One scheduler of an app holds the lease. Each new holder gets a higher fence, and what an older one
-- still says is refused (worker.schedule_fire).
--
-- KEYS[1] state      hash    holder, until (ms), fence, incarnation, seq
-- KEYS[2] due        zset    name -> the next moment (ms)
-- KEYS[3] schedules  hash    name -> schedule
-- KEYS[4] outbox     stream  what was fired and is not in its queue yet
-- KEYS[5] wake       list    at most one token; the holder blocks on it
-- ARGV[1] holder
-- ARGV[2] lease_ms   0 gives the lease back
-- ARGV[3] most       schedules, 1..1000
-- ARGV[4] now_ms     '' in production; the clock of a test
--
-- Reply   the fence (0: another one holds the lease), the time (ms), ms until there is something to do
--         or the lease ends (-1: nothing is known), how many wait in the outbox, then name, moment and
--         schedule of what is due
-- Errors  none
-- Cost    O(most + log N)
--@include lib/base

local state, due, schedules, outbox, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local me, lease_ms = ARGV[1], tonumber(ARGV[2])
local now_ms = math.floor(now_us(ARGV[4]) / 1000)
local s = call('HMGET', state, 'holder', 'until', 'fence')
local holder, ends, fence = s[1] or '', tonumber(s[2] or 0), tonumber(s[3] or 0)
if holder ~= me and ends > now_ms then return { 0, int(now_ms), int(ends - now_ms), 0 } end
if lease_ms == 0 then
  if holder == me then call('HSET', state, 'until', 0) end
  return { 0, int(now_ms), 0, 0 }
end
-- A lease that ran out may have been another's meanwhile: who comes back gets a new fence as well.
if holder ~= me or ends <= now_ms then fence = fence + 1 end
call('HSET', state, 'holder', me, 'until', int(now_ms + lease_ms), 'fence', int(fence))

local reply = { int(fence), int(now_ms), -1, call('XLEN', outbox) }
local found = call('ZRANGEBYSCORE', due, '-inf', int(now_ms), 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[3]))
for i = 1, #found, 2 do
  reply[#reply + 1] = found[i]
  reply[#reply + 1] = int(tonumber(found[i + 1]))
  reply[#reply + 1] = call('HGET', schedules, found[i]) or ''
end
local soonest = call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
if soonest then reply[3] = int(math.max(tonumber(soonest) - now_ms, 0)) end
call('DEL', wake)
return reply
