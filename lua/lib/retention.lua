-- retention: how a shard learns of a description. What could not be read any more with the old
-- retention can not be read with a longer one either: `horizon` is the first position that can.
local function keep_for(state, version, retention_ms, horizon, new_version, new_ms, now)
  if tonumber(new_version) <= tonumber(version) then return end
  if new_ms ~= retention_ms then
    local oldest = now - tonumber(retention_ms) * 1000
    call('HSET', state, 'retention_ms', new_ms,
      'horizon', int(math.max(oldest, tonumber(horizon) or 0)))
  end
  call('HSET', state, 'version', new_version)
end
