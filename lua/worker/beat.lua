#!lua flags=allow-oom
-- worker.beat: a worker says that it lives and what it has in hand, and hears what it is told to do.
--
-- KEYS[1] workers      zset    id -> until when it counts as alive (ms)
-- KEYS[2] worker_info  hash    id -> what it last said of itself (JSON)
-- KEYS[3] paused       hash    queue -> since when (ms)
-- KEYS[4] inbox        zset    of this worker: number and command -> number
-- KEYS[5] wake         list    of this worker: there is something in its inbox
-- ARGV[1] id
-- ARGV[2] info
-- ARGV[3] ttl_ms       0 signs off
-- ARGV[4] seen         number of the last command that it has carried out
-- ARGV[5] now_ms       '' in production; the clock of a test
--
-- Reply   how many queues are paused, their names, then the commands
-- Errors  none
-- Cost    O(log N + commands + paused queues)
--@include lib/base

local workers, info, inbox, wake = KEYS[1], KEYS[2], KEYS[4], KEYS[5]
local id, ttl_ms = ARGV[1], tonumber(ARGV[3])
local now_ms = math.floor(now_us(ARGV[5]) / 1000)
-- 1. Whoever beats removes the dead.
local dead = call('ZRANGEBYSCORE', workers, '-inf', int(now_ms), 'LIMIT', 0, 100)
if #dead > 0 then
  call('ZREM', workers, unpack(dead))
  call('HDEL', info, unpack(dead))
end
if ttl_ms == 0 then
  call('ZREM', workers, id)
  call('HDEL', info, id)
  call('DEL', inbox, wake)
  return { 0 }
end
call('ZADD', workers, int(now_ms + ttl_ms), id)
call('HSET', info, id, ARGV[2])
-- 2. A command stays until it is said that it was seen: the answer to a beat may get lost.
call('ZREMRANGEBYSCORE', inbox, '-inf', ARGV[4])
call('DEL', wake)
local paused = call('HKEYS', KEYS[3])
local reply = { #paused }
for i = 1, #paused do reply[#reply + 1] = paused[i] end
for _, one in ipairs(call('ZRANGE', inbox, 0, 99)) do reply[#reply + 1] = one end
return reply
