-- pending: subscriptions that wait for their confirmation, and what becomes of one that got none.

-- Forget one whose token has expired, as if it had been ended.
local function expire(state, subscriptions, endpoints, changes, pending, id, endpoint)
  local stored = call('HGET', subscriptions, id)
  call('ZREM', pending, id .. ' ' .. endpoint)
  if not stored then return end
  call('XADD', changes, 'MAXLEN', 1000, int(call('HINCRBY', state, 'number', 1)), 'i', id)
  -- A quote inside a JSON text stands behind a backslash: this can only be the field.
  if string.find(stored, '"filter_policy":"', 1, true) then call('HINCRBY', state, 'policies', -1) end
  call('HDEL', subscriptions, id)
  if call('HGET', endpoints, endpoint) == id then call('HDEL', endpoints, endpoint) end
end
