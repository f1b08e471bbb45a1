#!lua flags=no-writes
-- outlets.read: the document in a catalog that has an id.
--
-- KEYS[1] documents  hash  name -> document
-- KEYS[2] ids        hash  id -> name
-- ARGV[1] id
--
-- Reply   the document; '' for none
-- Errors  none
-- Cost    O(1)

local call = redis.call
local documents, ids = KEYS[1], KEYS[2]
local name = call('HGET', ids, ARGV[1])
return name and call('HGET', documents, name) or ''
