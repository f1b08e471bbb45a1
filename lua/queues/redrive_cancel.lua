#!lua
-- queues.redrive_cancel: ask a running task to stop; what it moved stays moved.
--
-- KEYS[1] tasks    hash    task id -> JSON
-- ARGV[1] id
-- ARGV[2] stale_ms a running task without a beat for so long has lost its driver, and ends at once
-- ARGV[3] now_ms   '' in production; the clock of a test
--
-- Reply   the task as JSON
-- Errors  RMQ_TASK_NOT_FOUND RMQ_TASK_ENDED
-- Cost    O(1)
--@include lib/base

local text = call('HGET', KEYS[1], ARGV[1])
if not text then return redis.error_reply('RMQ_TASK_NOT_FOUND ' .. ARGV[1]) end
local task = cjson.decode(text)
if task.status == 'CANCELLING' then return text end
if task.status ~= 'RUNNING' then return redis.error_reply('RMQ_TASK_ENDED ' .. task.status) end
local lost = math.floor(now_us(ARGV[3]) / 1000) - task.beat_ms >= tonumber(ARGV[2])
task.status = lost and 'CANCELLED' or 'CANCELLING'
text = cjson.encode(task)
call('HSET', KEYS[1], ARGV[1], text)
return text
