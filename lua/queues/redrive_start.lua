#!lua
-- queues.redrive_start: note a new redrive task, unless one is under way.
--
-- KEYS[1] state    hash    of the dead-letter queue
-- KEYS[2] tasks    hash    task id -> JSON; ids grow with time
-- ARGV[1] version
-- ARGV[2] id
-- ARGV[3] task     JSON: status, destination, max_per_second, moved, to_move, started_ms, beat_ms
-- ARGV[4] stale_ms a running task without a beat for so long has lost its driver
-- ARGV[5] keep     how many ended tasks are remembered
-- ARGV[6] now_ms   '' in production; the clock of a test
--
-- Reply   1
-- Errors  RMQ_QUEUE_DOES_NOT_EXIST RMQ_STALE_CONFIG RMQ_TASK_RUNNING
-- Cost    O(tasks)
--@include lib/base

local state, tasks = KEYS[1], KEYS[2]
local refusal = refuse(call('HGET', state, 'version'), ARGV[1])
if refusal then return refusal end

local now_ms = math.floor(now_us(ARGV[6]) / 1000)
local all, ids = call('HGETALL', tasks), {}
local lost = {}
for i = 1, #all, 2 do
  local task = cjson.decode(all[i + 1])
  -- Our own: the answer to this very call was lost.
  if all[i] == ARGV[2] then return 1 end
  if task.status == 'RUNNING' or task.status == 'CANCELLING' then
    if now_ms - task.beat_ms < tonumber(ARGV[4]) then
      return redis.error_reply('RMQ_TASK_RUNNING ' .. all[i])
    end
    task.status = task.status == 'RUNNING' and 'FAILED' or 'CANCELLED'
    task.failure = task.status == 'FAILED' and 'DriverStopped' or ''
    lost[all[i]] = cjson.encode(task)
  end
  ids[#ids + 1] = all[i]
end

for id, text in pairs(lost) do call('HSET', tasks, id, text) end
table.sort(ids)
for i = 1, #ids - tonumber(ARGV[5]) + 1 do call('HDEL', tasks, ids[i]) end
local task = cjson.decode(ARGV[3])
task.started_ms, task.beat_ms = now_ms, now_ms
call('HSET', tasks, ARGV[2], cjson.encode(task))
return 1
