#!lua flags=no-writes
-- sms.look: all that decides whether a number is sent an SMS, and how.
--
-- KEYS[1] attributes  hash  attribute -> text
-- KEYS[2] opted_out   zset  number, score 0
-- KEYS[3] sandbox     hash  number -> record
-- ARGV[1] number
--
-- Reply   1 when it is opted out, else 0; its record in the sandbox, '' for none; then the
--         attributes, as field, value, ..
-- Errors  none
-- Cost    O(log N + attributes)

local call = redis.call
local attributes, opted_out, sandbox = KEYS[1], KEYS[2], KEYS[3]
local is_out = call('ZSCORE', opted_out, ARGV[1]) and 1 or 0
return { is_out, call('HGET', sandbox, ARGV[1]) or '', unpack(call('HGETALL', attributes)) }
