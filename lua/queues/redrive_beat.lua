#!lua
-- queues.redrive_beat: a driver reports how far it came, and learns whether to go on.
--
-- KEYS[1] tasks    hash    task id -> JSON
-- ARGV[1] id
-- ARGV[2] moved    how many more were moved
-- ARGV[3] status   RUNNING, or how it ended: COMPLETED, FAILED
-- ARGV[4] failure  why it failed; else ''
-- ARGV[5] now_ms   '' in production; the clock of a test
--
-- Reply   the task as JSON
-- Errors  RMQ_TASK_NOT_FOUND
-- Cost    O(1)
--@include lib/base

local text = call('HGET', KEYS[1], ARGV[1])
if not text then return redis.error_reply('RMQ_TASK_NOT_FOUND ' .. ARGV[1]) end
local task = cjson.decode(text)
task.moved = task.moved + tonumber(ARGV[2])
task.beat_ms = math.floor(now_us(ARGV[5]) / 1000)
if task.status == 'CANCELLING' then task.status = 'CANCELLED'
elseif task.status == 'RUNNING' then task.status = ARGV[3] end
if task.status == 'FAILED' and ARGV[4] ~= '' then task.failure = ARGV[4] end
text = cjson.encode(task)
call('HSET', KEYS[1], ARGV[1], text)
return text
