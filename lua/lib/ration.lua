-- ration: what may be done so many times in any 24 hours. The times are kept as text, in ms, oldest
-- first. Gives the times to keep now, or nothing when it was done too often.
local DAY_MS = 24 * 3600 * 1000
local function ration(times, most, now_ms)
  local kept, count = {}, 0
  for at in string.gmatch(times or '', '%d+') do
    if tonumber(at) > now_ms - DAY_MS then
      count = count + 1
      kept[count] = at
    end
  end
  if most ~= '' and count >= tonumber(most) then return nil end
  kept[count + 1] = int(now_ms)
  -- Without a limit nobody looks; then the last ones are enough.
  return table.concat(kept, ' ', math.max(1, count + 1 - 99))
end
