-- receive: what both receive scripts answer, and how long a consumer that found nothing may sleep.
--
-- Reply: now_ms, sleep_ms (-1: until something is sent), flags, how many were moved to the outbox,
--        then per message
--        seq, receive_count, first_received_ms (0: now), packed; then, with the flag GROUPED,
--        group; on FIFO queues group, received_ms (0: now); with the flag FRESH, when all of them are
--        received for the first time, seq and packed alone
local SWEEP, MOVED, MORE, OVER_LIMIT, GROUPED, FRESH = 1, 2, 4, 8, 16, 32

-- The earliest moment at which something becomes visible by itself is waited for by one consumer,
-- the others sleep a little longer, so that a due lease does not wake a thousand. The holder of that
-- duty may die; the late sleepers are then the ones that notice.
local function sleep_until(due, timer, now_ms, wait_ms)
  if due < 0 then return -1, timer end
  if due - now_ms > wait_ms then return due - now_ms, timer end
  if timer > now_ms and timer <= due then
    return due - now_ms + 100 + math.fmod(now_ms * 7919, 900), timer
  end
  return due - now_ms, due
end

-- Whether a message was received as often as its queue allows. What a worker gave back untried (a
-- limit of the fleet held it up, or the worker was stopped) is no try; it is looked at only here, so
-- that a receive costs nothing more. A redrive (limit 0) takes all.
local function is_over(trials, seq, count, most)
  if count < most or most == 0 then return count >= most end
  local returned = string.match(call('HGET', trials, seq) or '', '^%d+ (%d+) ')
  return count - (tonumber(returned) or 0) >= most
end
