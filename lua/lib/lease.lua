-- lease: one number that says until when a message is invisible and how often it was received.
--
--   score = due_ms * 2048 + min(receive_count, 2047)      exact in a double until the year 2109
--
-- FAR is the lease of a message on its way out (in the outbox): it is never due.
local FAR = 4398046511103
local function pack_lease(due_ms, count) return int(due_ms * 2048 + math.min(count, 2047)) end
local function lease_due(score) return math.floor(tonumber(score) / 2048) end
local function lease_count(score) return tonumber(score) % 2048 end
-- The highest score that is due: visible again at now_ms.
local function due_score(now_ms) return int(now_ms * 2048 + 2047) end

-- When a message was first received: kept in the hash `first`, but only where it can not be read off
-- the lease. A message that was received once, with the queue's own timeout, was received when that
-- lease ends less the timeout. So most messages never cost an entry.
local function first_receive(first, seq, score, default_ms)
  return call('HGET', first, seq) or int(lease_due(score) - default_ms)
end
-- To be called before a first lease is changed.
local function keep_first(first, seq, score, default_ms)
  if lease_count(score) == 1 then call('HSETNX', first, seq, int(lease_due(score) - default_ms)) end
end
