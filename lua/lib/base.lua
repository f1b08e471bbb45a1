-- base: numbers, the clock, and the two refusals that every queue script shares.

-- A whole number as text. Lua would print large doubles with an exponent; Redis wants digits.
local call, format = redis.call, string.format
local function int(x) return format('%d', x) end

-- Microseconds since 1970: the server's clock, or the one a test holds.
local function now_us(now_ms)
  if now_ms ~= '' then return tonumber(now_ms) * 1000 end
  local t = call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- A client works from a cached description of its queue. When the description has changed, or the
-- queue was deleted (and perhaps made anew), nothing is done and the client looks again.
local function refuse(version, expected)
  if version == expected then return nil end
  if not version then return redis.error_reply('RMQ_QUEUE_DOES_NOT_EXIST') end
  return redis.error_reply('RMQ_STALE_CONFIG')
end

-- Wake one waiting consumer, if any can be waiting. One token is enough: a receive that leaves
-- messages behind passes it on.
local function wake_one(wake, waiting_until, now)
  if now < tonumber(waiting_until) and call('LLEN', wake) == 0 then
    call('LPUSH', wake, '1')
  end
end
