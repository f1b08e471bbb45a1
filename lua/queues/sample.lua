#!lua flags=no-writes
-- queues.sample: look at what the newest messages are like, for a dictionary to be made of them.
--
-- KEYS[1] state    hash
-- KEYS[2] log      stream
-- ARGV[1] version
-- ARGV[2] most     messages, 1..1000
-- ARGV[3] enough   messages that are enough, where they have
-- ARGV[4] enough_bytes
-- ARGV[5] small    bytes of a message that is worth a look
--
-- Reply   packed messages
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG
-- Cost    O(most), of large messages no more than some 1 MiB
--@include lib/base

local state, log = KEYS[1], KEYS[2]
local refusal = refuse(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end

local most, enough, enough_bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local small = tonumber(ARGV[5])
local reply, bytes, looked, read, start = {}, 0, 0, 0, '+'
while looked < most and read < 1048576 do
  local entries = call('XREVRANGE', log, start, '-', 'COUNT', math.min(10, most - looked))
  for i = 1, #entries do
    local packed = entries[i][2][2]
    read = read + #packed
    -- 16: a large one, however small it lies there.
    if #packed > 0 and #packed <= small and string.byte(packed) ~= 16 then
      if #reply >= enough and bytes >= enough_bytes then return reply end
      reply[#reply + 1], bytes = packed, bytes + #packed
    end
  end
  if #entries < 10 then break end
  looked = looked + #entries
  start = '(' .. entries[#entries][1]
end
return reply
