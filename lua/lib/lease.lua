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
